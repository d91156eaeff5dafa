// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OwnedToken} from "./OwnedToken.sol";

/// @title A well-behaved ERC-20 token with 6 decimals.
contract TestUsd is OwnedToken {
    constructor() OwnedToken("Test USD", "TUSD") {}

    /// @notice How many decimals a balance has.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
