//! The written form of inputs in a session file: keys as in a macro, and pasted texts verbatim
//! between `<paste>` and `</paste>`.
//!
//! A paste differs from its text typed: in a prompt a typed line break is Enter, while a pasted one
//! becomes a blank.

use super::Input;
use crate::app::key::{parse_macro, write_macro};

const OPEN: &str = "<paste>";
const CLOSE: &str = "</paste>";

/// Reads keys and pastes.
///
/// # Errors
/// A sentence that names an invalid key, or reports a paste without an end.
pub fn parse_script(text: &str) -> Result<Vec<Input>, String> {
    let keys = |text: &str| Ok::<_, String>(parse_macro(text)?.into_iter().map(Input::Key));
    let mut inputs = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (pasted, tail) = after.split_once(CLOSE).ok_or_else(|| format!("there is a `{OPEN}` without its `{CLOSE}`"))?;
        inputs.extend(keys(before)?);
        inputs.push(Input::Paste(pasted.to_owned()));
        rest = tail;
    }
    inputs.extend(keys(rest)?);
    Ok(inputs)
}

/// Writes an input in the form that [`parse_script`] reads. A paste that contains `</paste>`
/// becomes two pastes with the same effect. Snapshots are not written here; a step has a field for
/// them.
pub fn write_script(input: &Input) -> String {
    match input {
        Input::Key(key) => write_macro(std::slice::from_ref(key)),
        Input::Paste(text) => {
            let (head, tail) = CLOSE.split_at(2);
            format!("{OPEN}{}{CLOSE}", text.replace(CLOSE, &format!("{head}{CLOSE}{OPEN}{tail}")))
        }
        Input::Snapshots(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(inputs: &[Input]) -> String {
        inputs.iter().map(|i| if let Input::Paste(text) = i { text.as_str() } else { panic!("{i:?}") }).collect()
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let key = |name: &str| Input::Key(name.parse().unwrap());
        let typed = "<paste>".chars().map(|c| key(&c.to_string()));
        let paste = Input::Paste("hot -> cold\n<enter> & <paste> big ->".into());
        let inputs: Vec<Input> = typed.chain([key("enter"), paste, key("x"), Input::Paste(String::new())]).collect();
        let text: String = inputs.iter().map(write_script).collect();
        assert_eq!(text, "<<>paste><enter><paste>hot -> cold\n<enter> & <paste> big -></paste>x<paste></paste>");
        assert_eq!(parse_script(&text).unwrap(), inputs);
        for text in ["</paste>", "a</paste>b</paste>", "</</paste>paste>"] {
            assert_eq!(pasted(&parse_script(&write_script(&Input::Paste(text.into()))).unwrap()), text);
        }
        assert!(parse_script("a<paste>b").unwrap_err().contains("</paste>"));
        assert!(parse_script("<paste>b</paste><f99>").unwrap_err().contains("f99"));
    }
}
