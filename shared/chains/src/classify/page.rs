//! The table for people.

use super::table::{CODES, GROUPS, Group};

/// The table as a page to read, in Markdown: `docs/node-answers.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# What nodes answer to a broadcast\n\n\
         Made from `shared/chains/src/classify/table.rs` by its tests; change the table, not this page.\n\n\
         Phrases match whole words, letter case and punctuation aside; `*` stands for up to six words. The longest \
         phrase wins. A text that holds phrases of two meanings, or none, is `Unknown`: the number and the bytes are \
         kept and sent again.\n",
    );
    for group in GROUPS {
        write_group(&mut page, group);
    }
    page.push_str(
        "\n## Codes\n\nA code is read only where no phrase is found: the same number means a rate limit here and a gas \
         limit there. These mean `Busy`; every other code means nothing.\n\n| code | whose | source |\n|---|---|---|\n",
    );
    for (code, whose, source) in CODES {
        page.push_str(&format!("| {code} | {whose} | {source} |\n"));
    }
    page
}

fn write_group(page: &mut String, group: &Group) {
    page.push_str(&format!("\n## {:?}\n\n{}\n\n", group.class, group.why));
    page.push_str("| who | text | phrase | source |\n|---|---|---|---|\n");
    for row in group.rows {
        let (text, phrase) = (row.text.replace('|', "\\|"), row.phrase.replace('*', "\\*"));
        page.push_str(&format!("| {} | `{text}` | {phrase} | {} |\n", row.client, row.source));
    }
}
