// nodemailer, pooled: compose and send N mails to a sink. PORT N FOLDER
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const require = createRequire(process.env.PEERS + "/node/");
const nodemailer = require("nodemailer");
const [port, mails, folder] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const html = readFileSync(folder + "/mail.html", "utf8"), text = readFileSync(folder + "/mail.txt", "utf8");
const transport = nodemailer.createTransport({
  host: "127.0.0.1", port, secure: false, ignoreTLS: true, pool: true, maxConnections: 20, maxMessages: Infinity,
});
const wall = process.hrtime.bigint(), cpu = process.cpuUsage();
let next = 0;
const sender = async () => {
  while (next < mails) {
    const number = next++;
    await transport.sendMail({
      from: "Northwind Garden <hello@northwind.example>", to: `contact${number}@example.net`,
      subject: "Your garden is ready", html, text,
      list: { unsubscribe: `https://mail.northwind.example/u/${number}` },
    });
  }
};
await Promise.all(Array.from({ length: 40 }, sender));
const used = process.cpuUsage(cpu);
console.log(JSON.stringify({
  cpu: (used.user + used.system) / 1e6, wall: Number(process.hrtime.bigint() - wall) / 1e9,
}));
transport.close();
