//! Every bound of the port in one place. Both sides refuse what lies beyond.
//!
//! Most are DynamoDB's own quotas: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.

/// Writes in one commit: the most items a `TransactWriteItems` takes.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub const WRITES_PER_COMMIT: usize = 100;

/// Bytes in all writes of one commit: the most a `TransactWriteItems` takes.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub const COMMIT_BYTES: usize = 4 * 1024 * 1024;

/// Bytes in one row, names of its attributes included: DynamoDB's largest item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items>
pub const ITEM_BYTES: usize = 400 * 1024;

/// Bytes in a partition key.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys>
pub const PK_BYTES: usize = 2048;

/// Bytes in a sort key.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys>
pub const SK_BYTES: usize = 1024;

/// Keys in one `get_many`: the most a `BatchGetItem` takes.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
pub const KEYS_PER_GET: usize = 100;

/// Rows a page may be asked for. Our own bound: a page of small rows stays within DynamoDB's 1 MB,
/// and a reader that wants more goes on with the cursor.
pub const QUERY_ROWS: usize = 1000;

/// Bytes a query reads before it ends its page.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html>
pub const PAGE_BYTES: usize = 1024 * 1024;

/// Characters in a commit token: DynamoDB's bound on `ClientRequestToken`.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub const TOKEN_CHARS: usize = 36;

/// Numbers lie strictly between minus this and this: DynamoDB keeps 38 digits. A sum that reaches
/// it is refused in memory; DynamoDB refuses sums of more than 38 significant digits.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-data-types>
pub const NUMBER_BOUND: i128 = 10_i128.pow(38);

/// Levels of a value, the attribute itself being the first.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-attributes>
pub const NESTING: usize = 32;

/// Bytes in an attribute's name. DynamoDB allows 64 KB, but 255 for names of keys; one bound serves both.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-attributes>
pub const NAME_BYTES: usize = 255;

/// Attributes one `Update` may change, so that the expression stays below DynamoDB's 4 KB and 300 operators.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters>
pub const FIELDS_PER_UPDATE: usize = 100;

/// Expectations one write may carry, for the same 4 KB of expression.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters>
pub const EXPECTATIONS_PER_WRITE: usize = 100;
