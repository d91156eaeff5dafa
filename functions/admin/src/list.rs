//! Pages of lists, also of lists whose rows lie in several partitions.

use causeway_domain::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use causeway_http::ApiError;
use causeway_store::{Cursor, Item, Key, Query, RowError, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Admin;

/// Keys of one read of the store.
const KEYS_PER_READ: usize = 100;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageAsked {
    /// 1 to 100; 20 if left out.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where to go on, if there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that is always told whole.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// The same page with each row as something else, where it is that.
    pub fn filter_map<U>(self, each: impl FnMut(T) -> Option<U>) -> List<U> {
        List { items: self.items.into_iter().filter_map(each).collect(), next_cursor: self.next_cursor }
    }

    /// The same page with each row as something else.
    pub fn try_map<U>(self, each: impl FnMut(T) -> Result<U, ApiError>) -> Result<List<U>, ApiError> {
        let items = self.items.into_iter().map(each).collect::<Result<_, _>>()?;
        Ok(List { items, next_cursor: self.next_cursor })
    }
}

impl PageAsked {
    fn limit(&self) -> Result<usize, ApiError> {
        let limit = self.limit.unwrap_or(PAGE_ROWS_DEFAULT);
        if (1..=PAGE_ROWS_MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(ApiError::field("limit", format!("must be 1 to {PAGE_ROWS_MAX}")))
        }
    }

    /// The part to go on with, and the place in it.
    fn place(&self, parts: usize) -> Result<(usize, Option<Cursor>), ApiError> {
        let Some(text) = &self.cursor else { return Ok((0, None)) };
        let (part, inner) = text.split_once('.').ok_or_else(foreign_cursor)?;
        let part: usize = part.parse().ok().filter(|part| *part < parts).ok_or_else(foreign_cursor)?;
        Ok((part, (!inner.is_empty()).then(|| Cursor(inner.to_owned()))))
    }
}

impl Admin {
    /// Reads one page of these queries' rows, one query after the other.
    pub async fn page(&self, asked: &PageAsked, parts: Vec<Query>) -> Result<List<Item>, ApiError> {
        let limit = asked.limit()?;
        let (first, mut after) = asked.place(parts.len())?;
        let mut items = Vec::new();
        for (part, query) in parts.into_iter().enumerate().skip(first) {
            loop {
                if items.len() == limit {
                    let inner = after.map(|cursor: Cursor| cursor.0).unwrap_or_default();
                    return Ok(List { items, next_cursor: Some(format!("{part}.{inner}")) });
                }
                let query = Query { limit: limit - items.len(), after: after.take(), ..query.clone() };
                let page = self.store.query(&query).await.map_err(|error| cursor_error(asked, &error))?;
                items.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(List { items, next_cursor: None })
    }

    /// Reads all rows of a query; for partitions that are small by nature.
    pub async fn all(&self, mut query: Query) -> Result<Vec<Item>, ApiError> {
        let mut rows = Vec::new();
        loop {
            let page = self.store.query(&query).await.map_err(|error| ApiError::internal(&error))?;
            rows.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    /// Reads many rows, however many, in the order asked for.
    pub async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, ApiError> {
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_PER_READ) {
            rows.extend(self.store.get_many(chunk).await.map_err(|error| ApiError::internal(&error))?);
        }
        Ok(rows)
    }
}

/// A row as a struct; a row that is not one is our fault.
pub fn parse<T: serde::de::DeserializeOwned>(row: &Item) -> Result<T, ApiError> {
    row.parse().map_err(|error| ApiError::internal(&error))
}

/// A row of a list as a struct. One that is none must not hide the others: it is told to the log, and the list goes on.
pub fn readable<T: serde::de::DeserializeOwned>(row: &Item) -> Option<T> {
    let told = |error: &RowError| {
        tracing::error!(pk = row.text("pk"), sk = row.text("sk"), error = %error, "a row cannot be read");
    };
    row.parse().inspect_err(told).ok()
}

/// A cursor that is not one of ours is the caller's fault, everything else is not.
fn cursor_error(asked: &PageAsked, error: &StoreError) -> ApiError {
    match error {
        StoreError::Refused(_) if asked.cursor.is_some() => foreign_cursor(),
        StoreError::Refused(_) | StoreError::Unavailable(_) | StoreError::Denied(_) => ApiError::internal(error),
    }
}

fn foreign_cursor() -> ApiError {
    ApiError::field("cursor", "is not one that this list gave")
}
