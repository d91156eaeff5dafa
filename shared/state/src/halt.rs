//! The reasons of a halt, in one line: each is people's, and what released money comes before what is paid again by itself.

/// Between the reasons of a halt.
pub const AND: &str = "; ";
/// Characters of all reasons of a halt.
const REASONS_CHARS_MAX: usize = 2_000;
/// Stands behind those that have room, where others have none.
const OTHERS: &str = "and others: the logs name each";
/// The end of the reason that needs people least: what was paid is paid again by the same bytes.
pub const SETTLED_LEFT: &str = "was settled and its block left the chain";

/// Reasons beside those that are known. Where not all have room, those that need people least are left out.
pub fn beside(known: &str, more: &str) -> String {
    let new = more.split(AND).filter(|part| !known.contains(part));
    let (others, all): (Vec<&str>, Vec<&str>) = known.split(AND).chain(new).partition(|part| *part == OTHERS);
    let (mildest, graver): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|part| part.ends_with(SETTLED_LEFT));
    let mut room = REASONS_CHARS_MAX - OTHERS.len();
    let mut left_out = !others.is_empty();
    let mut told: Vec<&str> = Vec::new();
    for part in graver.into_iter().chain(mildest) {
        let needs = part.len() + AND.len();
        if needs > room {
            left_out = true;
            continue;
        }
        room -= needs;
        told.push(part);
    }
    told.extend(left_out.then_some(OTHERS));
    told.join(AND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(number: u64) -> String {
        format!("number {number} {SETTLED_LEFT}")
    }

    const RELEASED: &str = "number 7 had been cancelled finally, its money was released, and its block left the chain";

    #[test]
    fn reasons_stand_beside_each_other_and_none_twice() {
        let both = beside(&settled(1), &settled(2));
        assert_eq!(
            both,
            "number 1 was settled and its block left the chain; number 2 was settled and its block left the chain"
        );
        assert_eq!(beside(&both, &settled(2)), both);
    }

    #[test]
    fn what_released_money_is_told_however_many_others_there_are() {
        let many = (10..200).map(settled).fold(settled(9), |known, reason| beside(&known, &reason));
        assert!(many.len() <= REASONS_CHARS_MAX, "{}", many.len());
        assert!(many.ends_with(OTHERS));
        let told = beside(&many, RELEASED);
        assert!(told.starts_with(RELEASED) && told.ends_with(OTHERS) && told.len() <= REASONS_CHARS_MAX, "{told}");
        let again = (300..400).map(settled).fold(told.clone(), |known, reason| beside(&known, &reason));
        assert!(again.starts_with(RELEASED));
        assert_eq!(again.matches(OTHERS).count(), 1);
    }
}
