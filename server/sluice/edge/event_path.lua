-- A further path for events stands for /v1/log_event: the transcoder finds a method by its path. The query stays.

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  local query = path:find("?", 1, true)
  headers:replace(":path", query and "/v1/log_event" .. path:sub(query) or "/v1/log_event")
end
