#!/usr/bin/env node
// Compiles contracts/src/*.sol to contracts/out/<Name>.json.
//
//   node build.js           writes the outputs
//   node build.js --check   writes nothing; fails if an output differs from a fresh compile
//
// The outputs are committed, so that only who changes a contract needs the compiler.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const solc = require("solc");

const SOURCES = path.join(__dirname, "src");
const OUTPUTS = path.join(__dirname, "out");

const SETTINGS = {
  // Named, because the compiler's default moves with its version.
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 200 },
  // Without metadata the bytecode depends on the code alone, not on comments or paths.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: {
    "*": {
      "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers"],
    },
  },
};

/** Resolves an import of the sources: only installed packages are imported by name. */
function resolveImport(name) {
  try {
    return { contents: fs.readFileSync(require.resolve(name, { paths: [__dirname] }), "utf8") };
  } catch (error) {
    return { error: `${name}: ${error.message}` };
  }
}

/** Compiles every source; returns the text of each output by its file name. */
function compile() {
  const sources = {};
  for (const file of fs.readdirSync(SOURCES).filter((name) => name.endsWith(".sol")).sort()) {
    sources[`src/${file}`] = { content: fs.readFileSync(path.join(SOURCES, file), "utf8") };
  }
  const input = { language: "Solidity", sources, settings: SETTINGS };
  const result = JSON.parse(solc.compile(JSON.stringify(input), { import: resolveImport }));
  // Warnings count as errors: a test token has no reason to carry one.
  const faults = (result.errors ?? []).filter((fault) => fault.severity !== "info");
  if (faults.length > 0) {
    throw new Error(faults.map((fault) => fault.formattedMessage).join("\n"));
  }
  const outputs = new Map();
  for (const source of Object.keys(sources)) {
    for (const [name, contract] of Object.entries(result.contracts[source] ?? {})) {
      if (contract.evm.bytecode.object === "") continue; // abstract: nothing to deploy
      outputs.set(`${name}.json`, render(name, contract));
    }
  }
  return outputs;
}

/** One output file: what a deployment and a caller need, and what it was made with. */
function render(name, contract) {
  const output = {
    contract: name,
    solc: solc.version(),
    evmVersion: SETTINGS.evmVersion,
    abi: contract.abi,
    selectors: contract.evm.methodIdentifiers,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
  };
  return `${JSON.stringify(output, null, 2)}\n`;
}

/** The names of outputs that are missing, different, or no longer made by any source. */
function differences(outputs) {
  const present = fs.existsSync(OUTPUTS) ? fs.readdirSync(OUTPUTS) : [];
  const stale = present.filter((file) => !outputs.has(file));
  const changed = [...outputs].filter(
    ([file, text]) =>
      !present.includes(file) || fs.readFileSync(path.join(OUTPUTS, file), "utf8") !== text,
  );
  return [...stale, ...changed.map(([file]) => file)];
}

function write(outputs) {
  fs.rmSync(OUTPUTS, { recursive: true, force: true });
  fs.mkdirSync(OUTPUTS);
  for (const [file, text] of outputs) fs.writeFileSync(path.join(OUTPUTS, file), text);
}

function main(args) {
  const check = args.length === 1 && args[0] === "--check";
  if (args.length > 0 && !check) {
    console.error("usage: node build.js [--check]");
    return 2;
  }
  const outputs = compile();
  if (!check) {
    write(outputs);
    console.log(`wrote ${[...outputs.keys()].join(", ")}`);
    return 0;
  }
  const different = differences(outputs);
  if (different.length > 0) {
    console.error(`contracts/out is not what the sources compile to: ${different.join(", ")}`);
    console.error("run 'node build.js' in contracts/ and commit the result");
    return 1;
  }
  console.log(`${outputs.size} outputs equal a fresh compile`);
  return 0;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
