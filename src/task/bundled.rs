//! The tasks inside the program: `assets/tasks`, with their licences in its `INDEX.tsv`.

use super::{Pair, Task, TaskOrigin};
use std::sync::LazyLock;

macro_rules! lists {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../assets/tasks/", $name, ".tsv")))),*] };
}

/// Name and text of every list.
const LISTS: &[(&str, &str)] = lists! {
    "a_or_an"
    "add_one"
    "addition"
    "adjective_adverb"
    "adjective_comparative"
    "adjective_superlative"
    "airport_city"
    "american_british"
    "animal_class"
    "animal_v_object_3"
    "antonym"
    "capitalize"
    "cardinal_ordinal"
    "choose_first_of_3"
    "choose_last_of_3"
    "city_country"
    "color_v_animal_3"
    "compare_numbers"
    "country_capital"
    "country_continent"
    "country_french"
    "country_spanish"
    "currency_code"
    "digit_sum"
    "double_number"
    "double_word"
    "first_letter"
    "first_three_letters"
    "food_v_person_3"
    "initials_of_3"
    "join_with_and"
    "last_letter"
    "longest_word_3"
    "male_female"
    "max_of_two"
    "name_gender"
    "negative_prefix"
    "next_in_arithmetic"
    "noun_category"
    "number_french"
    "number_german"
    "number_hex"
    "number_roman"
    "number_words"
    "odd_one_out_4"
    "ordinal_suffix"
    "parity"
    "part_of_speech"
    "person_occupation"
    "pig_latin"
    "place_country"
    "present_gerund"
    "present_past"
    "remove_first_letter"
    "remove_vowels"
    "repeated_word"
    "reverse_digits"
    "reverse_list_3"
    "reverse_word"
    "roman_number"
    "round_ten"
    "singular_plural"
    "sort_numbers"
    "sort_words_3"
    "spell_dashes"
    "subtraction"
    "swap_case"
    "times_ten"
    "uppercase"
    "us_city_state"
    "verb_agent"
    "verb_third_person"
    "word_length"
    "word_sentiment"
    "words_number"
};

const INDEX: &str = include_str!("../../assets/tasks/INDEX.tsv");

/// The bundled tasks, by name. Parsed at the first call.
pub fn bundled() -> &'static [Task] {
    static TASKS: LazyLock<Vec<Task>> = LazyLock::new(|| LISTS.iter().map(|(name, text)| task(name, text)).collect());
    &TASKS
}

fn task(name: &str, text: &str) -> Task {
    let row = INDEX.lines().map(|l| l.split('\t').collect::<Vec<_>>()).find(|row| row.first() == Some(&name)).unwrap_or_default();
    let field = |i: usize| row.get(i).copied().unwrap_or_default().to_string();
    let pairs = text.lines().filter_map(|l| l.split_once('\t'));
    Task {
        name: name.into(),
        family: field(1),
        licence: field(3),
        source: field(4),
        description: field(5),
        pairs: pairs.map(|(i, o)| Pair { input: i.into(), output: o.into() }).collect(),
        origin: TaskOrigin::Bundled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_lists_the_index_and_the_folder_agree() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/tasks");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|e| e.unwrap().file_name().into_string().unwrap().strip_suffix(".tsv").map(str::to_string))
            .filter(|n| n != "INDEX")
            .collect();
        files.sort();
        let names: Vec<_> = LISTS.iter().map(|(n, _)| n.to_string()).collect();
        let indexed: Vec<_> = INDEX.lines().skip(1).filter_map(|l| l.split('\t').next().map(str::to_string)).collect();
        assert_eq!(files, names);
        assert_eq!(indexed, names);
    }

    #[test]
    fn every_task_is_clean_and_has_a_licence() {
        assert!(bundled().len() >= 60);
        for task in bundled() {
            let inputs: HashSet<_> = task.pairs.iter().map(|p| &p.input).collect();
            assert_eq!(inputs.len(), task.pairs.len(), "{} has an input twice", task.name);
            assert!(
                task.pairs
                    .iter()
                    .all(|p| [&p.input, &p.output].iter().all(|t| !t.is_empty() && t.trim() == *t && !t.contains(['\t', '\n'])))
            );
            assert!(!task.licence.is_empty() && !task.source.is_empty() && !task.description.is_empty() && !task.family.is_empty());
            assert_eq!(
                INDEX.lines().find(|l| l.starts_with(&format!("{}\t", task.name))).unwrap().split('\t').nth(2).unwrap(),
                task.pairs.len().to_string()
            );
        }
    }
}
