-- Lets a call through only if its body is one whole, uncompressed message in gRPC's framing: a flag of 0, a length of
-- 4 bytes, and so many bytes. A worker's gRPC library, where it can't read a frame, may hand on an empty message instead
-- of an error: no events, which is OK. It takes no notice of what is behind a message, either.
-- Source: gRPC over HTTP/2, "Length-Prefixed-Message".

function envoy_on_request(handle)
  local body = handle:body()
  local length = body and body:length() or 0
  if length == 0 then return end  -- workers see that there is no message
  if length >= 5 then
    local flag, a, b, c, d = body:getBytes(0, 5):byte(1, 5)
    if flag == 0 and ((a * 256 + b) * 256 + c) * 256 + d == length - 5 then return end
    if flag == 1 then handle:respond({[":status"] = "421"}) return end
  end
  handle:respond({[":status"] = "422"})
end
