// Ask the YAML language server what an editor would show in mappings.
//
//   node probe.mjs MAPPING [complete:LINE:COLUMN | hover:LINE:COLUMN]... [MAPPING ...]...
//
// Prints JSON, for each mapping {"file": "..", "problems": [{line, column, text, message}], "answers": [one for each
// question]}. A completion is a list of {label, inserts, explains}, a hover is its text. Lines and columns count from 1;
// a mapping names its schema in its first line. Nothing is fetched from the network. The server is the npm package
// yaml-language-server, looked for in the folder VISMA_IMPORT_YLS (a node_modules), else among npm's global packages;
// exit 3 where it is not installed.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const SECONDS = 30;

function fail(message, code = 1) {
  console.error(message);
  process.exit(code);
}

function serverPackage() {
  const given = process.env.VISMA_IMPORT_YLS;
  let modules = given;
  try {
    modules ||= execFileSync("npm", ["root", "-g"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    fail("npm is not installed, and VISMA_IMPORT_YLS names no folder", 3);
  }
  const folder = path.join(modules, "yaml-language-server");
  if (!existsSync(folder)) fail(`there is no yaml-language-server in ${modules}`, given ? 1 : 3);
  return folder;
}

/** A client of one language server: JSON-RPC with Content-Length headers over stdio. */
class Client {
  constructor(folder) {
    const program = path.join(folder, "bin", "yaml-language-server");
    this.server = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
    this.server.on("exit", (code) => fail(`the language server ended with ${code}`));
    this.server.stdout.on("data", (data) => this.receive(data));
    this.received = Buffer.alloc(0);
    this.calls = new Map();
    this.publish = new Map();
    this.configured = new Promise((resolve) => (this.configure = resolve));
  }

  receive(data) {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const end = this.received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.received.toString("ascii", 0, end))[1]);
      if (this.received.length < end + 4 + length) return;
      const text = this.received.toString("utf8", end + 4, end + 4 + length);
      this.received = this.received.subarray(end + 4 + length);
      this.handle(JSON.parse(text));
    }
  }

  handle({ id, method, params, result, error }) {
    if (method === undefined) {
      const call = this.calls.get(id);
      if (error) call.reject(new Error(error.message));
      else call.resolve(result);
    } else if (method === "workspace/configuration") {
      const settings = ({ section }) => (section === "yaml" ? { schemaStore: { enable: false } } : {});
      this.send({ id, result: params.items.map(settings) });
      this.configure();
    } else if (method === "textDocument/publishDiagnostics") {
      this.publish.get(params.uri)?.(params.diagnostics);
    } else if (id !== undefined) {
      this.send({ id, result: null });
    }
  }

  send(message) {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.server.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.server.stdin.write(body);
  }

  call(method, params) {
    const id = this.calls.size + 1;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject });
      this.send({ id, method, params });
    });
  }

  async start() {
    const capabilities = {
      workspace: { configuration: true },
      textDocument: {
        completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
        hover: { contentFormat: ["markdown"] },
      },
    };
    await this.call("initialize", { processId: process.pid, rootUri: null, capabilities });
    this.send({ method: "initialized", params: {} });
    await this.configured;
  }
}

function readArguments(given) {
  const mappings = [];
  for (const argument of given) {
    const [, what, line, column] = /^(complete|hover):(\d+):(\d+)$/.exec(argument) ?? [];
    if (what === undefined) mappings.push({ file: argument, questions: [] });
    else mappings.at(-1)?.questions.push({ what, position: { line: line - 1, character: column - 1 } });
  }
  if (!mappings.length) fail("Usage: node probe.mjs MAPPING [complete:LINE:COLUMN | hover:LINE:COLUMN]...", 2);
  return mappings;
}

/** Open a mapping and put its questions. */
async function ask(client, { file, questions }) {
  const text = readFileSync(file, "utf8");
  const lines = text.split(/\r?\n/);
  const uri = pathToFileURL(path.resolve(file)).href;
  const published = new Promise((resolve) => client.publish.set(uri, resolve));
  client.send({
    method: "textDocument/didOpen",
    params: { textDocument: { uri, languageId: "yaml", version: 1, text } },
  });
  const problems = (await published).map(({ range: { start, end }, message }) => ({
    line: start.line + 1,
    column: start.character + 1,
    text: lines[start.line].slice(start.character, end.line === start.line ? end.character : undefined),
    message,
  }));
  const answers = [];
  for (const { what, position } of questions) {
    const place = { textDocument: { uri }, position };
    if (what === "hover") {
      answers.push(said((await client.call("textDocument/hover", place))?.contents));
    } else {
      const found = await client.call("textDocument/completion", place);
      answers.push((found?.items ?? found ?? []).map(offered));
    }
  }
  return { file, problems, answers };
}

function said(content) {
  return content?.value ?? content ?? "";
}

function offered({ label, textEdit, insertText, documentation }) {
  return { label, inserts: textEdit?.newText ?? insertText ?? label, explains: said(documentation) };
}

const mappings = readArguments(process.argv.slice(2));
setTimeout(() => fail(`the language server did not answer within ${SECONDS} seconds`), SECONDS * 1000);
const client = new Client(serverPackage());
await client.start();
const told = await Promise.all(mappings.map((mapping) => ask(client, mapping)));
process.stdout.write(`${JSON.stringify(told, null, 1)}\n`, () => process.exit(0));
