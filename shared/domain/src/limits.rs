//! Every bound on what comes in, with its reason, in one place.

/// Bytes of a request body: the largest valid request is under 1 KB; headroom for bulks comes with bulks.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Levels of nesting in a JSON body: ours are flat.
pub const JSON_DEPTH_MAX: usize = 4;
/// Characters of an idempotency key: long enough for two UUIDs.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 128;
/// Characters of any other text field.
pub const TEXT_CHARS_MAX: usize = 256;
/// Characters of an operator's reason.
pub const REASON_CHARS_MAX: usize = 500;
/// Rows of a page.
pub const PAGE_ROWS_MAX: usize = 100;
/// Rows of a page when none is asked for.
pub const PAGE_ROWS_DEFAULT: usize = 20;
/// Messages shown by a look into a queue (SQS receives at most ten).
pub const PEEK_MESSAGES_MAX: u8 = 10;
/// Quick tries of one message before it becomes a waiting row (rule 9).
pub const QUICK_TRIES_MAX: u32 = 5;
/// Transfers of one parcel.
pub const PARCEL_TRANSFERS_MAX: usize = 100;
/// Smallest units that an account may come to by credits: a tenant's accounts and treasuries together stay far below what a
/// signed number of 128 bits, or 38 digits of DynamoDB, holds. It is 10^19 whole units of a token with 18 decimals.
pub const ACCOUNT_UNITS_MAX: u128 = 10_u128.pow(37);
/// Shards of a tenant's account of one asset: DynamoDB takes 1,000 writes/s a key, a transaction counts twice.
pub const ACCOUNT_SHARDS: u8 = 8;
/// Copies of a shared switch: each signing commit checks one, so that a switch is never a hot row.
pub const SWITCH_COPIES: u8 = 16;
/// Records one commit of a batch may touch, under DynamoDB's 100.
pub const COMMIT_WRITES_MAX: usize = 96;
/// Gas of one transaction: what Ethereum allows (EIP-7825, 2^24), and far above any plain transfer. A recipient whose
/// code burns more would otherwise stop the whole lane, since nodes refuse such a transaction for good.
pub const TRANSACTION_GAS_MAX: u64 = 1 << 24;
/// Gas of one transfer where a network's file says nothing else: several times what tokens take, and little enough that a
/// recipient whose code does more than take the money cannot have the treasury pay for it.
pub const TRANSFER_GAS_MAX: u64 = 500_000;
/// Gas of a payment of the coin to an account without code, which logs nothing: it takes exactly that (Yellow Paper, G_transaction).
pub const PLAIN_TRANSFER_GAS: u64 = 21_000;
/// Characters of a revert reason that are kept.
pub const REVERT_REASON_CHARS_MAX: usize = 300;
