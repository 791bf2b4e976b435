//! The program: hands over to the command line and turns an error into one sentence and an exit
//! code.

use state_soup::log::say;

fn main() {
    // `color_eyre::install` prints with a macro that panics where standard error is gone, as after
    // a hang-up: a panic in the hook, an abort. Without colours: whatever a report quotes must be
    // shown, not obeyed, and nothing tells its escape sequences from the report's own.
    match color_eyre::config::HookBuilder::default().theme(color_eyre::config::Theme::new()).try_into_hooks() {
        Ok((reports, _)) => std::panic::set_hook(Box::new(move |info| say(reports.panic_report(info)))),
        Err(error) => say(format_args!("state-soup: no crash reports: {error}")),
    }
    if let Err(error) = state_soup::cli::run() {
        say(format_args!("state-soup: {error}"));
        std::process::exit(error.exit_code());
    }
}
