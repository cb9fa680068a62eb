-- Runs on what the transcoder made of a worker's answer. x-http-status is how a worker tells a status
-- that no gRPC code leads to (413). Errors of gRPC's library have others than a worker's own: 429 and 499, on
-- which SDKs drop the batch, 500, 501, or a 200 without grpc-status 0, which acknowledges nothing.
local foreign = {["200"] = true, ["429"] = true, ["499"] = true, ["500"] = true, ["501"] = true}
local unavailable = [[{"message":"the service can't take the request now; send it again later","status":503}]]

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  headers:remove("grpc-accept-encoding")
  if status == "200" and headers:get("grpc-status") == "0" then
    headers:replace(":status", "202")
    headers:remove("grpc-status")
    headers:remove("grpc-message")
    return
  end
  local told = headers:get("x-http-status")
  if told == "413" then
    headers:replace(":status", told)
    headers:remove("x-http-status")
  elseif foreign[status] then
    headers:replace(":status", "503")
    headers:replace("content-type", "application/json")
    headers:replace("content-length", tostring(#unavailable))
    handle:body(true):setBytes(unavailable)
  end
end
