// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title An ERC-20 token whose deployer may mint.
/// @dev The decimals are a constant function of each token rather than an immutable, so
/// that the code on chain equals the compiled code byte for byte and can be compared.
abstract contract OwnedToken is ERC20, Ownable {
    constructor(string memory name_, string memory symbol_) ERC20(name_, symbol_) Ownable(msg.sender) {}

    /// @notice Creates tokens for an address; only the owner may.
    /// @param to Who receives the new tokens.
    /// @param amount How many, in the token's smallest unit.
    function mint(address to, uint256 amount) public onlyOwner {
        _mint(to, amount);
    }
}
