//! The bundled tasks: `assets/tasks`, with their licences in `INDEX.tsv` there.

use super::{Pair, Task, TaskOrigin};
use std::sync::LazyLock;

macro_rules! lists {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../assets/tasks/", $name, ".tsv")))),*] };
}

/// Name and text of every list.
const LISTS: &[(&str, &str)] = lists! {
    "a_or_an"
    "abbreviation_expand"
    "abbreviation_us_state"
    "abs_difference"
    "add_five"
    "add_one"
    "add_question"
    "add_ten"
    "addition"
    "addition_plain"
    "adjective_adverb"
    "adjective_comparative"
    "adjective_noun"
    "adjective_superlative"
    "agent_verb"
    "airport_city"
    "alphabetically_first_3"
    "alphabetically_last_5"
    "american_british"
    "animal_baby"
    "animal_class"
    "animal_group"
    "animal_sound"
    "animal_v_object_3"
    "animal_v_object_5"
    "antonym"
    "author_book"
    "bracket_word"
    "british_american"
    "caesar_shift_one"
    "capital_continent"
    "capital_country"
    "capitalize"
    "cardinal_ordinal"
    "choose_first_of_3"
    "choose_last_of_3"
    "choose_middle_of_5"
    "choose_second_of_3"
    "city_country"
    "color_hex"
    "color_v_animal_3"
    "comparative_adjective"
    "comparative_superlative"
    "compare_numbers"
    "consonant_count"
    "contains_a"
    "contraction"
    "copy_word"
    "count_items"
    "country_capital"
    "country_continent"
    "country_french"
    "country_german"
    "country_italian"
    "country_spanish"
    "currency_code"
    "digit_count"
    "digit_sum"
    "division"
    "double_last_letter"
    "double_number"
    "double_word"
    "element_number"
    "emoji_word"
    "ends_with_e"
    "expand_contraction"
    "extension_mime"
    "female_male"
    "first_and_last_letter"
    "first_digit"
    "first_letter"
    "first_letter_upper"
    "first_three_letters"
    "first_two_letters"
    "food_kind"
    "food_v_person_3"
    "fruit_v_animal_3"
    "gerund_past"
    "gerund_present"
    "god_mythology"
    "half_number"
    "homophone"
    "http_status"
    "hypernym"
    "initials_of_3"
    "job_place"
    "join_hyphen"
    "join_with_and"
    "landmark_city"
    "language_code"
    "language_extension"
    "language_french"
    "language_german"
    "last_digit"
    "last_letter"
    "last_letter_upper"
    "last_two_letters"
    "list_membership"
    "longest_word_3"
    "male_female"
    "material_source"
    "max_of_list"
    "max_of_two"
    "min_of_list"
    "min_of_two"
    "multiple_of_three"
    "multiplication"
    "name_gender"
    "negative_prefix"
    "next_in_arithmetic"
    "next_in_decreasing"
    "next_in_letters"
    "next_letter"
    "noun_adjective"
    "noun_category"
    "number_binary"
    "number_french"
    "number_german"
    "number_hex"
    "number_italian"
    "number_roman"
    "number_sign"
    "number_spanish"
    "number_word_french"
    "number_words"
    "object_color"
    "object_kind"
    "odd_one_out_4"
    "only_vowels"
    "ordinal_suffix"
    "parity"
    "part_of_speech"
    "part_whole"
    "past_present"
    "person_occupation"
    "pig_latin"
    "place_country"
    "plural_singular"
    "prefix_the"
    "present_gerund"
    "present_past"
    "previous_letter"
    "product_company"
    "remove_first_letter"
    "remove_last_letter"
    "remove_negative_prefix"
    "remove_vowels"
    "repeated_word"
    "reverse_digits"
    "reverse_list_3"
    "reverse_word"
    "rhyme"
    "roman_number"
    "round_ten"
    "same_or_different"
    "second_letter"
    "shortest_word_3"
    "singular_or_plural"
    "singular_plural"
    "sort_letters"
    "sort_numbers"
    "sort_words_3"
    "spell_dashes"
    "spell_out"
    "starts_with_vowel"
    "subtract_one"
    "subtraction"
    "subtraction_plain"
    "sum_of_list"
    "swap_case"
    "swap_first_last"
    "swap_pair"
    "syllable_count"
    "synonym"
    "times_ten"
    "tool_action"
    "unit_quantity"
    "unit_symbol"
    "uppercase"
    "us_city_state"
    "us_state_abbreviation"
    "us_state_capital"
    "vehicle_v_clothing_3"
    "verb_agent"
    "verb_category"
    "verb_tense"
    "verb_third_person"
    "word_emoji"
    "word_length"
    "word_sentiment"
    "words_number"
    "year_century"
};

const INDEX: &str = include_str!("../../assets/tasks/INDEX.tsv");

/// The bundled tasks in alphabetical order. They are parsed at the first call.
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
        unseen: field(6) == "unseen",
        places: Vec::new(),
        notes: Vec::new(),
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
            assert!(
                ["seen", "unseen"]
                    .contains(&INDEX.lines().find(|l| l.starts_with(&format!("{}\t", task.name))).unwrap().split('\t').nth(6).unwrap())
            );
            assert!(!task.licence.is_empty() && !task.source.is_empty() && !task.description.is_empty() && !task.family.is_empty());
            assert_eq!(
                INDEX.lines().find(|l| l.starts_with(&format!("{}\t", task.name))).unwrap().split('\t').nth(2).unwrap(),
                task.pairs.len().to_string()
            );
        }
    }
}
