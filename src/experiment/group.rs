//! Tasks that the model was trained on and tasks that its training never saw are reported
//! separately. On trained tasks, examples only recall what the weights know; only unseen tasks are
//! learnt from examples.

use crate::lab::Lab;

/// Tasks that are reported together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// All tasks.
    All,
    /// Tasks that the model was trained on.
    Trained,
    /// Tasks that its training never saw.
    Unseen,
}

impl Group {
    /// The non-empty groups of a lab's tasks: trained and unseen if any task is unseen, otherwise
    /// all.
    pub fn of(lab: &Lab) -> Vec<Self> {
        apart(lab.tasks().iter().map(|task| lab.is_unseen(task)))
    }

    /// Whether this group contains the task with this index in the lab.
    pub fn holds(self, lab: &Lab, task: usize) -> bool {
        self == Self::All || self.is_unseen() == lab.is_unseen(&lab.tasks()[task])
    }

    fn is_unseen(self) -> bool {
        self == Self::Unseen
    }

    /// The name of this group's table or figure.
    pub fn name(self, of: &str) -> String {
        match self {
            Self::All => of.into(),
            Self::Trained => format!("{of}-trained"),
            Self::Unseen => format!("{of}-unseen"),
        }
    }

    /// A claim about this group.
    pub fn claim(self, claim: &str) -> String {
        match self {
            Self::All => claim.into(),
            Self::Trained => format!("Trained tasks: {claim}"),
            Self::Unseen => format!("Unseen tasks: {claim}"),
        }
    }
}

/// The non-empty groups of tasks, given whether each is unseen.
fn apart(unseen: impl Iterator<Item = bool>) -> Vec<Group> {
    let unseen: Vec<bool> = unseen.collect();
    if !unseen.contains(&true) {
        return vec![Group::All];
    }
    [Group::Trained, Group::Unseen].into_iter().filter(|group| unseen.contains(&group.is_unseen())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_told_apart_only_where_some_are_unseen() {
        assert_eq!(apart([false, false].into_iter()), [Group::All]);
        assert_eq!(apart([].into_iter()), [Group::All]);
        assert_eq!(apart([false, true, false].into_iter()), [Group::Trained, Group::Unseen]);
        assert_eq!(apart([true, true].into_iter()), [Group::Unseen]);
    }

    #[test]
    fn one_group_has_the_plain_names() {
        let told = |group: Group| (group.name("k-1"), group.claim("It helps"));
        assert_eq!(told(Group::All), ("k-1".into(), "It helps".into()));
        assert_eq!(told(Group::Trained), ("k-1-trained".into(), "Trained tasks: It helps".into()));
        assert_eq!(told(Group::Unseen), ("k-1-unseen".into(), "Unseen tasks: It helps".into()));
    }
}
