//! The client: requests through the real router, as the gateway hands them on.

use std::future::Future;

use alloy_primitives::{Address, keccak256};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use causeway_domain::id::{ParcelId, RequestId, TransferId};
use causeway_state::parcel::{Alias, Parcel, unkeyed_parcel};
use lambda_http::{aws_lambda_events::apigw::ApiGatewayV2httpRequestContext, request::RequestContext};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{ASSETS, World};

/// What the client hears.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Body.
    pub body: Value,
}

impl Answer {
    /// A text field of the body.
    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("{name} is not in {self:?}"))
    }

    /// The stable code of a refusal, in either surface's shape.
    pub fn code(&self) -> &str {
        let error = self.body.get("error").unwrap_or(&self.body);
        error["code"].as_str().unwrap_or_else(|| panic!("{self:?} is no refusal"))
    }
}

/// An address that nobody else is paid to.
pub fn recipient(name: &str) -> Address {
    Address::from_slice(&keccak256(name)[..20])
}

/// A request of somebody with these claims, as the gateway hands it on.
pub(crate) fn send(
    router: Router,
    claims: &Value,
    method: Method,
    path: &str,
    key: Option<&str>,
    body: Option<Value>,
) -> impl Future<Output = Answer> + use<> {
    let context: ApiGatewayV2httpRequestContext = serde_json::from_value(json!({
        "http": {"method": method.as_str(), "path": path},
        "authorizer": {"jwt": {"claims": claims}},
    }))
    .expect("a request context");
    let mut request = Request::builder().method(method).uri(path);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = request.extension(RequestContext::ApiGatewayV2(context)).body(body).expect("a request");
    async move {
        let response = router.oneshot(request).await.expect("the router always answers");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }
}

impl World {
    /// A request of a tenant's client.
    pub fn call(
        &self,
        tenant: &str,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> impl Future<Output = Answer> + use<> {
        self.note_wish(tenant, path);
        let claims = json!({
            "custom:tenant": tenant, "sub": format!("{tenant}-user"), "cognito:groups": "[client]",
        });
        send(self.router.clone(), &claims, method, path, key, body)
    }

    /// Remembers what is asked to be cancelled, by either surface's name for it.
    pub(crate) fn note_wish(&self, tenant: &str, path: &str) {
        let named = path.strip_prefix("/withdrawal/cancel/").filter(|id| id.parse::<RequestId>().is_ok());
        let withdrawal = named.map(|id| self.parcel_id(tenant, id));
        let transfer = || {
            let id = path.strip_suffix("/cancel")?.rsplit('/').next()?;
            id.parse::<TransferId>().ok().map(|id| id.parcel)
        };
        if let Some(parcel) = withdrawal.or_else(transfer) {
            self.rules.borrow_mut().wish(parcel);
        }
    }

    /// Asks for a withdrawal.
    pub fn request(
        &self,
        tenant: &str,
        key: Option<&str>,
        symbol: &str,
        amount: &str,
        to: Address,
    ) -> impl Future<Output = Answer> + use<> {
        let token = ASSETS.into_iter().find(|(_, known, _)| *known == symbol).map(|(address, ..)| address);
        let body = json!({
            "amount": amount,
            "toAddress": to.to_string(),
            "tokenAddress": token.expect("a listed asset").to_string(),
            "network": "local",
        });
        self.call(tenant, Method::POST, "/withdrawal/request", key, Some(body))
    }

    /// A withdrawal of acme's that must be taken; answers its name.
    pub fn withdraw(&mut self, symbol: &str, amount: &str, to: Address) -> String {
        let answer = self.clock.run(self.request("acme", None, symbol, amount, to));
        self.take_note("acme", &answer)
    }

    /// Remembers that a client was told of a withdrawal; answers its name.
    pub fn take_note(&mut self, tenant: &str, answer: &Answer) -> String {
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let id = answer.text("requestId").to_owned();
        let parcel = self.parcel_id(tenant, &id);
        self.told.insert(parcel);
        id
    }

    /// A transfer through the other surface, remembered where it is taken.
    pub fn transfer(&mut self, key: &str, symbol: &str, amount: &str, to: Address, priority: &str) -> Answer {
        let body = json!({
            "from": self.lane("acme").address.to_string(), "to": to.to_string(), "amount": amount, "token": symbol,
            "priority": priority, "idempotencyKey": key,
        });
        let answer = self.clock.run(self.call("acme", Method::POST, "/api/v1/transfers", None, Some(body)));
        if answer.status == StatusCode::ACCEPTED {
            let id: TransferId = answer.text("transferId").parse().expect("a transfer's id");
            self.told.insert(id.parcel);
        }
        answer
    }

    /// What a client is told of a withdrawal.
    pub fn status(&self, id: &str) -> Answer {
        self.clock.run(self.call("acme", Method::GET, &format!("/withdrawal/status/{id}"), None, None))
    }

    /// The parcel that a withdrawal's name stands for.
    pub fn parcel_id(&self, tenant: &str, id: &str) -> ParcelId {
        let request: RequestId = id.parse().expect("a withdrawal's name");
        match self.row(&Alias::key(&self.tenant(tenant), &request)) {
            Some(row) => row.parse::<Alias>().expect("an alias").parcel,
            None => unkeyed_parcel(&self.tenant(tenant), &request),
        }
    }

    /// A parcel as stored.
    pub fn parcel(&self, id: &str) -> Parcel {
        let id = self.parcel_id("acme", id);
        self.parcels().into_iter().find(|parcel| parcel.id == id).unwrap_or_else(|| panic!("there is no {id}"))
    }
}
