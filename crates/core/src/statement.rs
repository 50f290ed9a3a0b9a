//! What an API key may do: a role, or statements that grant and deny actions on resources.
//!
//! A resource is a path from the company inwards, `biz_x` or `biz_x|exp_y`; a pattern is the same
//! with `*` or the prefix and `*` (`biz_*`) for any segment, and covers everything inside what it names.
//! A denial beats every grant, whatever the order. Paths through apps and products, which the decision
//! does not look at, are no patterns: a denial must never be taken and then ignored.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{CompanyId, ExperienceId};
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
#[error("not a resource of the form biz_…, biz_…|exp_… or *; apps and products cannot be named")]
pub struct InvalidPattern;

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;
    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        let well_formed = match text.split_once('|') {
            None => can_name::<CompanyId>(&text, CompanyId::PREFIX),
            Some((company, inner)) => {
                can_name::<CompanyId>(company, CompanyId::PREFIX)
                    && can_name::<ExperienceId>(inner, ExperienceId::PREFIX)
            }
        };
        if well_formed { Ok(Self(text)) } else { Err(InvalidPattern) }
    }
}

/// Whether a segment names an id of this kind, or all of them.
fn can_name<Id: FromStr>(segment: &str, prefix: &str) -> bool {
    match segment.strip_suffix('*') {
        Some(stem) => stem.is_empty() || stem == prefix,
        None => segment.parse::<Id>().is_ok(),
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

    /// Whether the pattern covers a company or something inside it.
    fn reaches_into(&self, company: &str) -> bool {
        glob(self.company(), company)
    }

    /// What it names inside of companies.
    fn inner(&self) -> Option<&str> {
        self.0.split_once('|').map(|(_, inner)| inner)
    }

    /// The company segment.
    pub fn company(&self) -> &str {
        self.0.split('|').next().unwrap_or_default()
    }
}

/// Experiences of a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts {
    /// All but these.
    AllBut(Vec<ExperienceId>),
    /// None but these.
    Only(Vec<ExperienceId>),
}

impl Default for Parts {
    fn default() -> Self {
        Self::AllBut(Vec::new())
    }
}

impl Parts {
    /// None at all.
    pub const NONE: Self = Self::Only(Vec::new());

    /// Whether there is one among them.
    pub fn contains(&self, part: ExperienceId) -> bool {
        match self {
            Self::AllBut(parts) => !parts.contains(&part),
            Self::Only(parts) => parts.contains(&part),
        }
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
    /// What the key may do on a company itself, or on `inner` (an experience) within it.
    ///
    /// `names` are the company and, for a connected account, its parent: a statement about a
    /// platform speaks of its connected accounts too.
    pub fn on(&self, names: &[CompanyId], inner: Option<&str>) -> ScopeSet {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let paths: Vec<Vec<&str>> =
            names.iter().map(|name| std::iter::once(name.as_str()).chain(inner).collect()).collect();
        // A denial of a part does not deny the whole; it is applied where the part is touched.
        let covers = |pattern: &Pattern| paths.iter().any(|path| pattern.covers(path));
        self.select(covers, covers)
    }

    /// What the key may do on anything at all within a company: the bound of what it may mint.
    pub fn within(&self, names: &[CompanyId]) -> ScopeSet {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.select(
            |pattern| names.iter().any(|name| pattern.reaches_into(name)),
            |pattern| names.iter().any(|name| pattern.covers(&[name])),
        )
    }

    /// The same, but nothing beyond `scopes`.
    #[must_use]
    pub fn narrowed(&self, scopes: &ScopeSet) -> Self {
        let everywhere = || vec![Pattern("*".to_owned())];
        let mut statements = match self {
            Self::Role(role) => {
                vec![Statement { actions: role.scopes(), grant: true, resources: everywhere() }]
            }
            Self::Statements(statements) => statements.clone(),
        };
        statements.push(Statement {
            actions: ScopeSet::everything().minus(scopes),
            grant: false,
            resources: everywhere(),
        });
        Self::Statements(statements)
    }

    /// Whether a denial of one of `actions` names a company by its id: then a platform's connected accounts
    /// are not alike.
    pub fn denies_a_company(&self, actions: &ScopeSet) -> bool {
        let Self::Statements(statements) = self else { return false };
        let named = |pattern: &Pattern| !pattern.company().ends_with('*');
        statements.iter().any(|statement| {
            let touches = statement.actions.and(actions) != ScopeSet::EMPTY;
            !statement.grant && touches && statement.resources.iter().any(named)
        })
    }

    /// What the key may do on a company and everything within it: the bound of the keys it may make.
    pub fn throughout(&self, names: &[CompanyId]) -> ScopeSet {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.select(
            |pattern| names.iter().any(|name| pattern.covers(&[name])),
            |pattern| names.iter().any(|name| pattern.reaches_into(name)),
        )
    }

    /// The experiences of a company on which the key may do `action`.
    pub fn parts(&self, names: &[CompanyId], action: Scope) -> Parts {
        let statements = match self {
            Self::Role(role) if role.scopes().contains(action) => return Parts::default(),
            Self::Role(_) => return Parts::NONE,
            Self::Statements(statements) => statements,
        };
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        // Of grants and denials: whether of all experiences, and of which.
        let (mut all, mut some) = ([false; 2], [Vec::new(), Vec::new()]);
        for statement in statements.iter().filter(|statement| statement.actions.contains(action)) {
            let reaching = |pattern: &&Pattern| names.iter().any(|name| pattern.reaches_into(name));
            for pattern in statement.resources.iter().filter(reaching) {
                let kind = usize::from(!statement.grant);
                match pattern.inner().and_then(|inner| inner.parse::<ExperienceId>().ok()) {
                    Some(part) => some[kind].push(part),
                    None => all[kind] = true,
                }
            }
        }
        let [granted, denied] = some;
        match all {
            [_, true] => Parts::NONE,
            [true, false] => Parts::AllBut(denied),
            [false, false] => {
                Parts::Only(granted.into_iter().filter(|part| !denied.contains(part)).collect())
            }
        }
    }

    fn select(&self, at: impl Fn(&Pattern) -> bool, except: impl Fn(&Pattern) -> bool) -> ScopeSet {
        let statements = match self {
            Self::Role(role) => return role.scopes(),
            Self::Statements(statements) => statements,
        };
        let (mut granted, mut denied) = (ScopeSet::EMPTY, ScopeSet::EMPTY);
        for statement in statements {
            if statement.grant && statement.resources.iter().any(&at) {
                granted = granted.or(&statement.actions);
            } else if !statement.grant && statement.resources.iter().any(&except) {
                denied = denied.or(&statement.actions);
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
    use crate::id::AppId;

    fn rights(rows: &[(&str, bool, &[Scope])]) -> KeyRights {
        KeyRights::Statements(
            rows.iter()
                .map(|(resource, grant, actions)| Statement {
                    actions: ScopeSet::of(actions),
                    grant: *grant,
                    resources: vec![
                        Pattern::try_from(
                            (*resource).replace("B1", &biz(1).to_string()).replace("E1", &exp(1)),
                        )
                        .unwrap(),
                    ],
                })
                .collect(),
        )
    }
    fn biz(n: u128) -> CompanyId {
        CompanyId::from_bits(n)
    }
    fn exp(n: u128) -> String {
        ExperienceId::from_bits(n).to_string()
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
        let rights = rights(&[("B1|E1", true, &[CHAT_READ])]);
        assert_eq!(rights.on(&[biz(1)], None), ScopeSet::EMPTY);
        assert_eq!(rights.on(&[biz(1)], Some(&exp(1))), ScopeSet::of(&[CHAT_READ]));
        assert_eq!(rights.on(&[biz(1)], Some(&exp(2))), ScopeSet::EMPTY);
        assert_eq!(rights.within(&[biz(1)]), ScopeSet::of(&[CHAT_READ]));
    }

    #[test]
    fn a_denial_beats_a_grant_in_either_order() {
        let rights = rights(&[("*", false, &[CHAT_MODERATE]), ("biz_*", true, &[CHAT_READ, CHAT_MODERATE])]);
        assert_eq!(rights.on(&[biz(7)], None), ScopeSet::of(&[CHAT_READ]));
    }

    #[test]
    fn a_denial_on_a_part_bounds_what_is_held_throughout() {
        let rights = rights(&[("B1", true, &[CHAT_READ, CHAT_MODERATE]), ("B1|E1", false, &[CHAT_READ])]);
        assert_eq!(rights.on(&[biz(1)], None), ScopeSet::of(&[CHAT_READ, CHAT_MODERATE]));
        assert_eq!(rights.throughout(&[biz(1)]), ScopeSet::of(&[CHAT_MODERATE]));
    }

    #[test]
    fn patterns_are_checked() {
        let (company, experience) = (biz(1).to_string(), exp(1));
        for good in ["*", "biz_*", "*|*", "biz_*|exp_*"] {
            assert!(Pattern::try_from(good.to_owned()).is_ok(), "{good:?}");
        }
        assert!(Pattern::try_from(format!("{company}|{experience}")).is_ok());
        for bad in ["", "|", "a|b|c|d", "b*z", "biz_x", "biz_0*", "app_*", "exp_*", "biz_*|app_*", "**"] {
            assert_eq!(Pattern::try_from(bad.to_owned()), Err(InvalidPattern), "{bad:?}");
        }
        let app = AppId::from_bits(1);
        for bad in ["|", "|exp y", "\0", "*", "|prod_x", &format!("|{app}"), &format!("|*|{experience}")] {
            assert_eq!(Pattern::try_from(format!("{company}{bad}")), Err(InvalidPattern), "{bad:?}");
        }
        assert_eq!(Pattern::try_from(biz(u128::MAX).to_string().to_lowercase()), Err(InvalidPattern));
        assert_eq!(Pattern::try_from(experience), Err(InvalidPattern));
    }
}
