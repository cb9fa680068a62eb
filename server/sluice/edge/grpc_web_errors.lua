-- Runs on what grpc_web made of an error of Envoy's own: its text as grpc-message, but still with HTTP's
-- status, of which clients read neither code nor text. 504 is not UNAVAILABLE: the batch may be on disk.
local codes = {["400"] = "3", ["408"] = "4", ["413"] = "3", ["421"] = "13", ["422"] = "3", ["504"] = "4"}

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  if status ~= "200" then
    headers:replace(":status", "200")
    headers:replace("grpc-status", codes[status] or headers:get("grpc-status") or "2")
  end
end
