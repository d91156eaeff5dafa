"""AWS between the functions and the emulator, and the API between clients and the gateway."""

from __future__ import annotations

import json

from proxy import Answer, Call, Proxy, Rates

# Writes may be lost in every way; reads may only fail, so that they are asked again.
WRITE = Rates(lost=15, delayed=20, late=3, throttled=10, failed=8, failed_after=8)
READ = Rates(lost=5, delayed=15, late=1, throttled=8, failed=5)
PUBLISH = Rates(lost=20, delayed=20, late=3, throttled=10, failed=8, failed_after=8, twice=60)
CLIENT = Rates(lost=30, delayed=20, throttled=10, failed=10, failed_after=10)

WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
PUBLISHES = {"SendMessage", "SendMessageBatch"}
API_PREFIX = "/_aws/execute-api/"
# What clients ask of the API.
API = "api"
JSON = {"content-type": "application/json"}
# How each service names what it refuses for being asked too often.
THROTTLES = {
    "DynamoDB_20120810": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
    "AmazonSQS": "com.amazonaws.sqs#RequestThrottled",
    "TrentService": "ThrottlingException",
}


class AwsProxy(Proxy):
    """The AWS calls of functions (JSON protocols), and clients' HTTP calls."""

    # The store's and the queues' patience for one attempt.
    patience_s = 3.0

    def operation(self, call: Call) -> str | None:
        if call.path.startswith(API_PREFIX):
            return API
        target = _target(call)
        return target.rpartition(".")[2] if target else None

    def rates(self, operation: str) -> Rates:
        if operation == API:
            return CLIENT
        if operation in PUBLISHES:
            return PUBLISH
        return WRITE if operation in WRITES else READ

    def throttled(self, call: Call) -> Answer:
        if call.path.startswith(API_PREFIX):
            return Answer(429, JSON | {"retry-after": "1"}, b'{"message":"Too Many Requests"}')
        service = _target(call).partition(".")[0]
        return _refusal(400, THROTTLES.get(service, "ThrottlingException"), "Rate exceeded")

    def failed(self, call: Call, chance: float) -> Answer:
        if chance < 0.5:
            return _refusal(500, "InternalServerError", "The request processing has failed")
        return Answer(503, {"content-type": "text/html"}, b"<html><body>503 Service Unavailable</body></html>")


def _target(call: Call) -> str:
    return next((value for name, value in call.headers.items() if name.lower() == "x-amz-target"), "")


def _refusal(status: int, kind: str, message: str) -> Answer:
    body = json.dumps({"__type": kind, "message": message}).encode()
    return Answer(status, {"content-type": "application/x-amz-json-1.0"}, body)
