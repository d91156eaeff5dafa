// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OwnedToken} from "./OwnedToken.sol";

/// @title A token whose transfers never revert: they return false and move nothing.
/// @notice A transaction that carries such a transfer succeeds, without a Transfer event.
contract TestFalse is OwnedToken {
    constructor() OwnedToken("Test False", "TFALSE") {}

    /// @notice Moves nothing and says so.
    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }

    /// @notice Moves nothing and says so.
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}
