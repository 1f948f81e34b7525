// Reads mails (one JSON line {path, records} each on stdin), answers with what mailparser, postal-mime and mailauth
// make of them.
const fs = require("fs");
const readline = require("readline");
const { dkimVerify } = require("mailauth/lib/dkim/verify");
const { simpleParser } = require("mailparser");
const postal = import("postal-mime");

async function read({ path, records }) {
  const data = fs.readFileSync(path);
  const mail = await simpleParser(data, { skipTextToHtml: true, skipHtmlToText: true, skipTextLinks: true });
  const resolver = async (name, type) => {
    if (type === "TXT" && records[name]) return [[records[name]]];
    const missing = new Error(`no ${type} of ${name}`);
    missing.code = "ENOTFOUND";
    throw missing;
  };
  const { subject, to, text, html } = await (await postal).default.parse(data);
  const found = await dkimVerify(data, { resolver });
  return {
    subject: mail.subject,
    from: mail.from.value,
    to: mail.to.value,
    messageId: mail.messageId,
    text: mail.text,
    html: mail.html,
    postal: { subject, to, text, html },
    dkim: found.results.map((one) => one.status.result),
  };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await read(JSON.parse(line))) + "\n");
  }
})();
