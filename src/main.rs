//! The program: hands over to the command line and turns an error into one sentence and an exit code.

fn main() {
    if let Err(error) = color_eyre::install() {
        eprintln!("state-soup: no crash reports: {error}");
    }
    if let Err(error) = state_soup::cli::run() {
        eprintln!("state-soup: {error}");
        std::process::exit(error.exit_code());
    }
}
