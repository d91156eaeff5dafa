// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OwnedToken} from "./OwnedToken.sol";

/// @title A token with a blacklist, which can be told to hide it from simulations.
contract TestCoin is OwnedToken {
    /// @notice The transfer touches a blacklisted address.
    error Blacklisted(address account);

    /// @notice Whether an address may neither send nor receive.
    mapping(address account => bool) public blacklisted;

    /// @notice Whether simulated transfers ignore the blacklist.
    bool public lenientSimulation;

    constructor() OwnedToken("Test Coin", "TBLK") {}

    /// @notice Puts an address on the blacklist or takes it off; only the owner may.
    function setBlacklisted(address account, bool listed) external onlyOwner {
        blacklisted[account] = listed;
    }

    /// @notice Makes simulated transfers ignore the blacklist, so that a transfer can pass
    /// its simulation and still revert on chain; only the owner may.
    function setLenientSimulation(bool lenient) external onlyOwner {
        lenientSimulation = lenient;
    }

    /// @notice How many decimals a balance has.
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _update(address from, address to, uint256 value) internal override {
        _check(from);
        _check(to);
        super._update(from, to, value);
    }

    /// @dev The list is read first in either case: a simulation then never needs less gas
    /// than the mined transaction does to reach its revert.
    function _check(address account) private view {
        if (blacklisted[account] && !(lenientSimulation && _simulated())) {
            revert Blacklisted(account);
        }
    }

    /// @dev A node simulates a call that names no fee at a gas price of zero. A mined
    /// transaction always pays at least the base fee, which is never zero here.
    function _simulated() private view returns (bool) {
        return tx.gasprice == 0;
    }
}
