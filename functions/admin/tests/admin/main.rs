//! admin over ports in memory: every route, what it refuses, and what happens when two act at once.

mod accounts;
mod cancel;
mod dead_letters;
mod displace;
mod lanes;
mod money;
mod openapi;
mod queues;
mod reconciliation;
mod refund;
mod routes;
mod samples;
mod settle;
mod support;
mod switches;
mod treasuries;
mod unasked;
mod waiting;
