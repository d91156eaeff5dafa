//! Dead letters: seen one by one or by status.

use causeway_domain::{id::DeadLetterId, parcel::ParcelState};
use causeway_http::{ApiError, Code, time::iso};
use causeway_state::{
    dead_letter::{DeadLetter, Status, Word},
    parcel::Parcel,
    tables::{BY_STATUS, DEAD_LETTERS},
};
use causeway_store::{Item, Key, Query, Range};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Admin,
    list::{List, PageAsked, parse},
};

/// Which page of the dead letters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LettersAsked {
    /// open, replayed, refunded, discarded or settled; open if left out.
    pub status: Option<String>,
    /// 1 to 100; 20 if left out.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A message that no step could finish.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Its identifier.
    pub id: String,
    /// The dead-letter queue it lay in.
    pub queue: String,
    /// Why it is here.
    pub reason: String,
    /// The parcel it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parcel: Option<String>,
    /// How often it was received before it came here.
    pub receives: u32,
    /// open, replayed, refunded, discarded or settled.
    pub status: String,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601.
    pub updated_at: String,
}

/// A dead letter with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LetterDetail {
    /// What the list tells.
    #[serde(flatten)]
    pub letter: Letter,
    /// The message's body.
    pub body: String,
    /// Whether the body was longer and is cut; then it cannot be replayed.
    pub cut: bool,
    /// Who acted on it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why they did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What operators said of its transactions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<LetterWord>,
    /// The transfer it is about, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<LetterTransfer>,
}

/// What an operator said of one of a dead letter's transactions, by which it is settled.
#[derive(Debug, Serialize, ToSchema)]
pub struct LetterWord {
    /// The transaction's hash.
    pub hash: String,
    /// Whether it paid what was asked for.
    pub paid: bool,
}

impl From<Word> for LetterWord {
    fn from(Word { hash, paid }: Word) -> Self {
        Self { hash: hash.to_string(), paid }
    }
}

/// The transfer that a dead letter is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LetterTransfer {
    /// Its name.
    pub transfer_id: String,
    /// A withdrawal's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whose.
    pub tenant: String,
    /// The internal word; `docs/api.md` has the table.
    pub state: String,
    /// Whether the tenant's money is held for it.
    pub holds_money: bool,
    /// In the asset's own unit.
    pub amount: String,
    /// The asset's symbol.
    pub token: String,
}

/// A dead letter as read, with its row's version.
#[derive(Debug)]
pub struct Found {
    /// The record.
    pub letter: DeadLetter,
    /// Its version.
    pub version: u64,
}

impl Admin {
    /// `GET dead-letters`
    pub async fn dead_letters(&self, asked: LettersAsked) -> Result<List<Letter>, ApiError> {
        let LettersAsked { status, limit, cursor } = asked;
        let status = Status::parse(status.as_deref().unwrap_or("open"))
            .ok_or_else(|| ApiError::field("status", "must be open, replayed, refunded, discarded or settled"))?;
        let by_status = Query::index(DEAD_LETTERS, BY_STATUS, DeadLetter::status_pk(status), Range::All);
        let page = self.page(&PageAsked { limit, cursor }, vec![Query { descending: true, ..by_status }]).await?;
        let keys: Vec<Key> = page.items.iter().filter_map(|row| row.text("pk")).map(letter_key).collect();
        let mut items = Vec::new();
        for row in self.read(&keys).await?.into_iter().flatten() {
            match row.parse::<DeadLetter>() {
                Ok(letter) if letter.status == status => items.push(told(&letter)),
                // The index is a hint: somebody may have acted since.
                Ok(_) => {}
                // One that cannot be read must not hide the others.
                Err(error) => {
                    tracing::error!(pk = row.text("pk"), error = %error, "a dead letter cannot be read");
                    items.push(unreadable(&row, status));
                }
            }
        }
        Ok(List { items, next_cursor: page.next_cursor })
    }

    /// `GET dead-letters/{id}`
    pub async fn dead_letter(&self, id: &str) -> Result<LetterDetail, ApiError> {
        let Found { letter, .. } = self.find_letter(id).await?;
        self.detail(letter).await
    }

    /// A dead letter by the text of its identifier.
    pub async fn find_letter(&self, id: &str) -> Result<Found, ApiError> {
        let unknown = || ApiError::of_field(Code::NotFound, "id", "there is no such dead letter");
        let id: DeadLetterId = id.parse().map_err(|_| unknown())?;
        let row = self.store.get(&DeadLetter::key(id)).await.map_err(|error| ApiError::internal(&error))?;
        let row = row.ok_or_else(unknown)?;
        Ok(Found { letter: parse(&row)?, version: row.version() })
    }

    /// All that is known of a dead letter.
    pub async fn detail(&self, letter: DeadLetter) -> Result<LetterDetail, ApiError> {
        let parcel = self.parcel_of(&letter).await?;
        Ok(LetterDetail {
            letter: told(&letter),
            body: letter.body,
            cut: letter.cut,
            by: letter.by,
            note: letter.note,
            settled: letter.settled.into_iter().map(Into::into).collect(),
            transfer: parcel.map(|(parcel, _)| transfer(&parcel)),
        })
    }

    /// The parcel a dead letter is about, with its row's version.
    pub async fn parcel_of(&self, letter: &DeadLetter) -> Result<Option<(Parcel, u64)>, ApiError> {
        let Some(id) = letter.parcel else { return Ok(None) };
        let row: Option<Item> = self.store.get(&Parcel::key(id)).await.map_err(|error| ApiError::internal(&error))?;
        row.map(|row| Ok((parse(&row)?, row.version()))).transpose()
    }
}

fn letter_key(pk: &str) -> Key {
    Key::new(DEAD_LETTERS, pk, "DL")
}

fn told(letter: &DeadLetter) -> Letter {
    Letter {
        id: letter.id.to_string(),
        queue: letter.queue.clone(),
        reason: letter.reason.clone(),
        parcel: letter.parcel.map(|parcel| parcel.to_string()),
        receives: letter.receives,
        status: letter.status.as_str().to_owned(),
        created_at: iso(letter.created_at),
        updated_at: iso(letter.updated_at),
    }
}

/// What is left to tell of a letter's row that is none.
fn unreadable(row: &Item, status: Status) -> Letter {
    let text = |name| row.text(name).unwrap_or_default().to_owned();
    let at = |name| iso(row.number(name).and_then(|at| u64::try_from(at).ok()).unwrap_or_default());
    Letter {
        id: format!("dl_{}", text("pk").trim_start_matches("DL#")),
        queue: text("queue"),
        reason: "its row cannot be read: restore it from a backup".to_owned(),
        parcel: None,
        receives: 0,
        status: status.as_str().to_owned(),
        created_at: at("created_at"),
        updated_at: at("updated_at"),
    }
}

fn transfer(parcel: &Parcel) -> LetterTransfer {
    let state: ParcelState = parcel.state;
    LetterTransfer {
        transfer_id: parcel.transfer_id(0).to_string(),
        request_id: parcel.request_id.as_ref().map(ToString::to_string),
        tenant: parcel.tenant.to_string(),
        state: state.as_str().to_owned(),
        holds_money: state.holds_money(),
        amount: parcel.total().format(parcel.decimals),
        token: parcel.symbol.clone(),
    }
}
