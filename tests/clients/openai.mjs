// The official OpenAI SDK for JavaScript: `node openai.mjs CASE JSON` runs one case and writes what came of it as JSON.
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.GATEWAY_URL}/v1`,
  apiKey: process.env.GATEWAY_KEY,
  maxRetries: 0,
});

/** What an error of the SDK tells. */
function told(error) {
  return { name: error.constructor.name, status: error.status, code: error.code, type: error.type, param: error.param };
}

async function collected(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** Tools that the SDK runs by itself: they write down how they were called. */
function recording(tools, calls) {
  return tools.map(({ name, parameters, result }) => ({
    type: "function",
    function: {
      name,
      parameters,
      parse: JSON.parse,
      function: (given) => {
        calls.push([name, given]);
        return result;
      },
    },
  }));
}

const cases = {
  models: async () => (await collected(client.models.list())).map((model) => model.id),
  model: async ({ id }) => await client.models.retrieve(id),
  chat: async (body) => await client.chat.completions.create(body),
  chatStream: async (body) => await collected(await client.chat.completions.create({ ...body, stream: true })),
  chatHelper: async (body) => {
    const runner = client.chat.completions.stream(body);
    return { completion: await runner.finalChatCompletion(), content: await runner.finalContent() };
  },
  chatTools: async ({ tools, ...body }) => {
    const calls = [];
    const runner = client.chat.completions.runTools({ ...body, tools: recording(tools, calls) });
    return { calls, content: await runner.finalContent() };
  },
  response: async (body) => await client.responses.create(body),
  responseHelper: async (body) => {
    const events = [];
    const stream = client.responses.stream(body);
    stream.on("event", (event) => events.push(event.type));
    return { response: await stream.finalResponse(), events };
  },
  retrieve: async ({ id }) => await client.responses.retrieve(id),
  remove: async ({ id }) => (await client.responses.delete(id)) ?? null,
  retries: async ({ retries, ...body }) => await client.chat.completions.create(body, { maxRetries: retries }),
  wrongKey: async (body) => await client.withOptions({ apiKey: "sk-wrong" }).chat.completions.create(body),
};

const [name, given] = process.argv.slice(2);
let answer;
try {
  answer = await cases[name](JSON.parse(given ?? "{}"));
} catch (error) {
  if (!(error instanceof OpenAI.OpenAIError)) throw error;
  answer = { error: told(error) };
}
process.stdout.write(JSON.stringify(answer));
