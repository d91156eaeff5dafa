// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// @title A token from before ERC-20 was settled: its transfers and approvals return nothing.
/// @dev Written out in full, since a function that returns nothing cannot override one that
/// returns a bool.
contract TestTether is Ownable, IERC20Errors {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    string public constant name = "Test Tether";
    string public constant symbol = "TUSDT";
    uint8 public constant decimals = 6;

    uint256 public totalSupply;
    mapping(address account => uint256) public balanceOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    constructor() Ownable(msg.sender) {}

    /// @notice Creates tokens for an address; only the owner may.
    /// @param to Who receives the new tokens.
    /// @param amount How many, in the token's smallest unit.
    function mint(address to, uint256 amount) public onlyOwner {
        require(to != address(0), ERC20InvalidReceiver(to));
        totalSupply += amount;
        unchecked {
            balanceOf[to] += amount; // no balance exceeds the supply, which did not overflow
        }
        emit Transfer(address(0), to, amount);
    }

    /// @notice Moves tokens of the caller; reverts when it cannot.
    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    /// @notice Moves tokens of an address that has approved the caller; reverts when it cannot.
    function transferFrom(address from, address to, uint256 value) external {
        uint256 allowed = allowance[from][msg.sender];
        require(allowed >= value, ERC20InsufficientAllowance(msg.sender, allowed, value));
        allowance[from][msg.sender] = allowed - value;
        _move(from, to, value);
    }

    /// @notice Lets an address move tokens of the caller, up to a value.
    function approve(address spender, uint256 value) external {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function _move(address from, address to, uint256 value) private {
        require(to != address(0), ERC20InvalidReceiver(to));
        uint256 balance = balanceOf[from];
        require(balance >= value, ERC20InsufficientBalance(from, balance, value));
        balanceOf[from] = balance - value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}
