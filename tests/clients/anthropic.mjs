// The official Anthropic SDK for JavaScript: `node anthropic.mjs CASE JSON` runs one case and writes what came of it.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.env.GATEWAY_URL, apiKey: process.env.GATEWAY_KEY, maxRetries: 0 });

/** What an error of the SDK tells. */
function told(error) {
  return { name: error.constructor.name, status: error.status, type: error.error?.error?.type, requestID: error.requestID };
}

async function collected(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** Tools that the SDK runs by itself: they write down how they were called. */
function recording(tools, calls) {
  return tools.map(({ name, input_schema, result }) => ({
    type: "custom",
    name,
    description: `The tool ${name}`,
    input_schema,
    parse: (given) => given,
    run: (given) => {
      calls.push([name, given]);
      return result;
    },
  }));
}

const cases = {
  models: async () => (await collected(client.models.list())).map((model) => model.id),
  message: async (body) => await client.messages.create(body),
  stream: async (body) => await collected(await client.messages.create({ ...body, stream: true })),
  helper: async (body) => {
    const events = [];
    const stream = client.messages.stream(body);
    stream.on("streamEvent", (event) => events.push(event.type));
    return { message: await stream.finalMessage(), text: await stream.finalText().catch(() => null), events };
  },
  countTokens: async (body) => await client.messages.countTokens(body),
  toolRunner: async ({ tools, ...body }) => {
    const calls = [];
    const message = await client.beta.messages.toolRunner({ ...body, tools: recording(tools, calls) });
    return { calls, message };
  },
  wrongKey: async (body) => await client.withOptions({ apiKey: "sk-wrong" }).messages.create(body),
};

const [name, given] = process.argv.slice(2);
let answer;
try {
  answer = await cases[name](JSON.parse(given ?? "{}"));
} catch (error) {
  if (!(error instanceof Anthropic.AnthropicError)) throw error;
  answer = { error: told(error) };
}
process.stdout.write(JSON.stringify(answer));
