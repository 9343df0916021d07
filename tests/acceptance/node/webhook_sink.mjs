// Receives webhooks, and prints each as a line of JSON.
// Arguments: the port of 127.0.0.1, the API key and secret.
import { createServer } from "node:http";
import { WebhookReceiver } from "livekit-server-sdk";

const [port, key, secret] = process.argv.slice(2);
const receiver = new WebhookReceiver(key, secret);
let accepted = 200;

async function read(request) {
  const parts = [];
  for await (const part of request) {
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

const server = createServer(async (request, response) => {
  const body = await read(request);
  if (request.url === "/answer") {
    accepted = JSON.parse(body);
    response.writeHead(204).end();
    return;
  }
  let status = accepted;
  let event = null;
  try {
    event = (await receiver.receive(body, request.headers.authorization)).toJson();
  } catch (error) {
    console.error(`refused: ${error.message}`);
    status = 401;
  }
  const contentType = request.headers["content-type"] ?? "";
  console.log(JSON.stringify({ status, contentType, event, body }));
  response.writeHead(status).end();
});

server.listen(Number(port), "127.0.0.1", () => console.log("listening"));
