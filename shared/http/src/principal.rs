//! Who asks: tenant, user and roles, from the claims that the gateway's authorizer has checked.

use std::collections::HashMap;

use causeway_domain::id::{TenantId, UserId};
use lambda_http::request::RequestContext;

use crate::error::{ApiError, Code};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Moves the own tenant's money.
    Client,
    /// Runs the place.
    Operator,
}

/// Names of the claims; another issuer may nest or rename them.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Names the tenant.
    pub tenant: String,
    /// Names the user.
    pub user: String,
    /// Lists the roles.
    pub roles: String,
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Whose member.
    pub tenant: TenantId,
    /// Who.
    pub user: UserId,
    /// May do what.
    pub roles: Vec<Role>,
}

impl Principal {
    /// Reads the checked claims of a request.
    pub fn of(context: Option<&RequestContext>, names: &Claims) -> Result<Self, ApiError> {
        let nobody = |what: &str| ApiError::new(Code::Unauthenticated, what.to_owned());
        let claims = claims(context).ok_or_else(|| nobody("no checked token came with the request"))?;
        let text = |name: &str| claims.get(name).map(String::as_str).unwrap_or_default();
        Ok(Self {
            tenant: text(&names.tenant).parse().map_err(|_| nobody("the token names no tenant"))?,
            user: text(&names.user).parse().map_err(|_| nobody("the token names no user"))?,
            roles: roles(text(&names.roles)),
        })
    }

    /// Refuses who has none of these roles.
    pub fn must_be(&self, allowed: &[Role]) -> Result<(), ApiError> {
        if self.roles.iter().any(|role| allowed.contains(role)) {
            Ok(())
        } else {
            Err(ApiError::new(Code::Forbidden, "your role does not allow this"))
        }
    }
}

fn claims(context: Option<&RequestContext>) -> Option<&HashMap<String, String>> {
    match context? {
        RequestContext::ApiGatewayV2(context) => Some(&context.authorizer.as_ref()?.jwt.as_ref()?.claims),
        _ => None,
    }
}

/// API Gateway hands a list claim on as the text `[A B]`; other issuers send one name, or names by comma.
fn roles(text: &str) -> Vec<Role> {
    text.trim_matches(['[', ']'])
        .split([' ', ','])
        .filter_map(|name| match name.trim_matches('"') {
            "client" => Some(Role::Client),
            "operator" => Some(Role::Operator),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_in_every_spelling() {
        assert_eq!(roles("[client operator]"), [Role::Client, Role::Operator]);
        assert_eq!(roles("operator"), [Role::Operator]);
        assert_eq!(roles("[\"client\",\"x\"]"), [Role::Client]);
        assert_eq!(roles(""), []);
        assert_eq!(roles("[clients]"), []);
    }

    #[test]
    fn nobody_is_refused() {
        let names = Claims { tenant: "t".into(), user: "sub".into(), roles: "r".into() };
        let error = Principal::of(None, &names).expect_err("no context");
        assert_eq!(error.code, Code::Unauthenticated);
    }
}
