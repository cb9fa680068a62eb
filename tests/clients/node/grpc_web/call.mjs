// One gRPC-Web call by a client from npm, and all that its caller can see of the answer. For Node and for a page.
import { fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";

import { EventsService } from "../gen/sluice/events/v1/events_service_pb.js";

/**
 * @param {object} asked
 * @param {"connect"|"google"} asked.client  @connectrpc/connect-web, or grpc-web
 * @param {"binary"|"text"|"json"} asked.format  of the messages on the wire
 * @param {string} asked.url  of the service
 * @param {"logEvent"|"receiveWebhookEvent"} asked.method
 * @param {object} asked.metadata
 * @param {object} asked.message  the request as protobuf's JSON
 * @returns {Promise<object>} code (0: OK), text, success, headers, trailers
 */
export async function call(asked) {
  const method = EventsService.method[asked.method];
  const request = fromJson(method.input, asked.message);
  return asked.client === "connect" ? byConnect(asked, request) : byGoogle(asked, method, request);
}

async function byConnect(asked, request) {
  const transport = createGrpcWebTransport({ baseUrl: asked.url, useBinaryFormat: asked.format === "binary" });
  const seen = { headers: {}, trailers: {} };
  try {
    const answer = await createClient(EventsService, transport)[asked.method](request, {
      headers: asked.metadata,
      timeoutMs: 10_000,
      onHeader: (headers) => (seen.headers = Object.fromEntries(headers)),
      onTrailer: (trailers) => (seen.trailers = Object.fromEntries(trailers)),
    });
    return { ...seen, code: 0, text: "", success: answer.success };
  } catch (error) {
    const told = ConnectError.from(error);
    // What a refusal says besides is in one place, as its headers and trailers may be one block.
    return { ...seen, code: told.code, text: told.rawMessage, trailers: Object.fromEntries(told.metadata) };
  }
}

function byGoogle(asked, method, request) {
  const client = new GrpcWebClientBase({ format: asked.format });
  const descriptor = new MethodDescriptor(
    `/${EventsService.typeName}/${method.name}`,
    MethodType.UNARY,
    Object,
    Object,
    (message) => toBinary(method.input, message),
    (bytes) => fromBinary(method.output, bytes),
  );
  return new Promise((resolve) => {
    const metadata = { ...asked.metadata, deadline: String(Date.now() + 10_000) };
    const answered = client.rpcCall(`${asked.url}${descriptor.getName()}`, request, metadata, descriptor, (error, answer) => {
      const outcome = error ? { code: error.code, text: error.message } : { code: 0, text: "", success: answer.success };
      // Both events may come behind this callback; not every answer has headers of its own.
      const said = Promise.all([headers, trailers]).then(([headers, trailers]) => ({ headers, trailers }));
      const nothing = new Promise((give) => setTimeout(() => give({ headers: {}, trailers: {} }), 5_000));
      Promise.race([said, nothing]).then((seen) => resolve({ ...seen, ...outcome }));
    });
    const headers = new Promise((give) => answered.on("metadata", give));
    const trailers = new Promise((give) => answered.on("status", (status) => give(status.metadata ?? {})));
  });
}
