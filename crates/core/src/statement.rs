//! What an API key may do: a role, or statements that grant and deny actions on resources.
//!
//! A resource is a path from the company inwards, `biz_x` or `biz_x|exp_y`; a pattern is the same
//! with `*` for any segment, `biz_*` for any ending, and covers everything inside what it names.
//! A denial beats every grant, whatever the order.

use serde::{Deserialize, Serialize};

use crate::id::CompanyId;
use crate::role::{self, Role};
use crate::scope::{Scope, ScopeSet};

/// The largest number of statements on one key.
pub const MAX_STATEMENTS: usize = 100;
/// The largest number of resources in one statement.
pub const MAX_RESOURCES: usize = 100;

/// One statement as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The actions it speaks of.
    pub actions: ScopeSet,
    /// Whether it grants or denies them.
    pub grant: bool,
    /// On what.
    pub resources: Vec<Pattern>,
}

/// A resource pattern that parsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// The text is no resource pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a resource such as biz_x, biz_x|exp_y or *")]
pub struct InvalidPattern;

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;
    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        let segments: Vec<&str> = text.split('|').collect();
        let well_formed = |segment: &&str| {
            let stem = segment.strip_suffix('*').unwrap_or(segment);
            !segment.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if text.len() > 200 || segments.len() > 3 || !segments.iter().all(well_formed) {
            return Err(InvalidPattern);
        }
        Ok(Self(text))
    }
}
impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl Pattern {
    /// Whether the pattern covers the resource at `path`.
    fn covers(&self, path: &[&str]) -> bool {
        let mut segments = path.iter();
        self.0.split('|').all(|pattern| segments.next().is_some_and(|segment| glob(pattern, segment)))
    }

    /// Whether the pattern covers something at or inside `path`.
    fn reaches_into(&self, path: &[&str]) -> bool {
        self.0.split('|').zip(path).all(|(pattern, segment)| glob(pattern, segment))
    }

    /// The company segment.
    pub fn company(&self) -> &str {
        self.0.split('|').next().unwrap_or_default()
    }
}

fn glob(pattern: &str, segment: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => segment.starts_with(stem),
        None => pattern == segment,
    }
}

/// What a key may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRights {
    /// What the role may do, everywhere the key reaches.
    Role(Role),
    /// What the statements say.
    Statements(Vec<Statement>),
}

impl KeyRights {
    /// What the key may do on a company itself, or on `inner` (an experience, an app) within it.
    ///
    /// `names` are the company and, for a connected account, its parent: a statement about a
    /// platform speaks of its connected accounts too.
    pub fn on(&self, names: &[CompanyId], inner: Option<&str>) -> ScopeSet {
        self.select(names, inner, false)
    }

    /// What the key may do on anything at all within a company: the bound of what it may mint.
    pub fn within(&self, names: &[CompanyId]) -> ScopeSet {
        self.select(names, None, true)
    }

    fn select(&self, names: &[CompanyId], inner: Option<&str>, anywhere: bool) -> ScopeSet {
        let statements = match self {
            Self::Role(role) => return role.scopes(),
            Self::Statements(statements) => statements,
        };
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let paths: Vec<Vec<&str>> =
            names.iter().map(|name| std::iter::once(name.as_str()).chain(inner).collect()).collect();
        let (mut granted, mut denied) = (ScopeSet::EMPTY, ScopeSet::EMPTY);
        for statement in statements {
            // A denial of a part does not deny the whole; it is applied where the part is touched.
            let matches = statement.resources.iter().any(|pattern| {
                paths.iter().any(|path| {
                    pattern.covers(path) || (anywhere && statement.grant && pattern.reaches_into(path))
                })
            });
            match (matches, statement.grant) {
                (true, true) => granted = granted.or(&statement.actions),
                (true, false) => denied = denied.or(&statement.actions),
                (false, _) => {}
            }
        }
        granted.minus(&denied)
    }

    /// Everything it could ever grant somewhere: used to keep a new key within its maker's rights.
    pub fn ever(&self) -> ScopeSet {
        match self {
            Self::Role(role) => role.scopes(),
            Self::Statements(statements) => statements
                .iter()
                .filter(|statement| statement.grant)
                .fold(ScopeSet::EMPTY, |all, statement| all.or(&statement.actions)),
        }
    }

    /// The actions it names that no statement may name.
    pub fn ungrantable(&self) -> Vec<Scope> {
        match self {
            Self::Role(_) => Vec::new(),
            Self::Statements(_) => self.ever().and(&role::not_for_key_statements()).iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::scopes::*;

    fn rights(rows: &[(&str, bool, &[Scope])]) -> KeyRights {
        KeyRights::Statements(
            rows.iter()
                .map(|(resource, grant, actions)| Statement {
                    actions: ScopeSet::of(actions),
                    grant: *grant,
                    resources: vec![
                        Pattern::try_from((*resource).replace("B1", &biz(1).to_string())).unwrap(),
                    ],
                })
                .collect(),
        )
    }
    fn biz(n: u128) -> CompanyId {
        CompanyId::from_bits(n)
    }

    #[test]
    fn a_statement_speaks_only_of_its_company() {
        let rights = rights(&[("B1", true, &[CHAT_READ])]);
        assert_eq!(rights.on(&[biz(1)], None), ScopeSet::of(&[CHAT_READ]));
        assert_eq!(rights.on(&[biz(2)], None), ScopeSet::EMPTY);
        assert_eq!(rights.within(&[biz(2)]), ScopeSet::EMPTY);
    }

    #[test]
    fn a_grant_on_a_part_is_not_a_grant_on_the_whole() {
        let rights = rights(&[("B1|exp_a", true, &[CHAT_READ])]);
        assert_eq!(rights.on(&[biz(1)], None), ScopeSet::EMPTY);
        assert_eq!(rights.on(&[biz(1)], Some("exp_a")), ScopeSet::of(&[CHAT_READ]));
        assert_eq!(rights.on(&[biz(1)], Some("exp_b")), ScopeSet::EMPTY);
        assert_eq!(rights.within(&[biz(1)]), ScopeSet::of(&[CHAT_READ]));
    }

    #[test]
    fn a_denial_beats_a_grant_in_either_order() {
        let rights = rights(&[("*", false, &[CHAT_MODERATE]), ("biz_*", true, &[CHAT_READ, CHAT_MODERATE])]);
        assert_eq!(rights.on(&[biz(7)], None), ScopeSet::of(&[CHAT_READ]));
    }

    #[test]
    fn patterns_are_checked() {
        for bad in ["", "|", "biz_x|", "a|b|c|d", "b*z", "biz_x|exp y", "biz_x\0"] {
            assert_eq!(Pattern::try_from(bad.to_owned()), Err(InvalidPattern), "{bad:?}");
        }
    }
}
