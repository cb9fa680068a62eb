-- Around the typed transcoder: what it must not see of a request, and in which words a client hears what it refused.

-- What json_name says in proto/ where it is not the field's own name in camel case.
local json_name = {
  user_id = "userID", custom_ids = "customIDs", event_id = "eventID", session_id = "sessionID", stable_id = "stableID",
}
local expected = {TYPE_INT64 = "integer (ms since epoch)", TYPE_STRING = "string"}

local function camel_case(name)
  return json_name[name] or name:gsub("_(%l)", string.upper)
end

-- As our own messages name a field. Of a map they name no entry, whose key is content.
local function json_path(path)
  return path:gsub("[%l_]+", camel_case):gsub("customIDs%[%d+%]%.%a+$", "customIDs")
end

-- Path, expected and found of Envoy's text, as it stands within a JSON string. It may quote the body: that part is left
-- out.
local function violation(text)
  local path, fault = text:match("^([%w_.%[%]]*): (.*)$")
  if path == "" then return "body", "object", "another value" end
  if not path then
    local line = text:gsub("\\n.*", ""):gsub("\\u000a.*", ""):gsub(" for key '.*", ""):gsub("%.$", "")
    return "body", "JSON", "what Envoy's parser calls: " .. line
  end
  local kind = fault:match("^invalid value .* for type ([%w_./]+)$")
  if kind == "oneof" then return json_path(path), "each key once", "one twice" end
  if kind then return json_path(path), expected[kind] or "object", "another value" end
  return json_path(path), "what the schema has there", "an array or an object"
end

-- As workers word it (ingest/error_body.py). How many events there are, nobody has counted.
local function error_body(text)
  local path, wanted, found = violation(text)
  return '{"message":"' .. path .. ": expected " .. wanted .. ", got " .. found .. "; mend that, and send the request again"
    .. '","status":400,"errors":[{"path":"' .. path .. '","expected":"' .. wanted .. '","found":"' .. found .. '"}]}'
end

function envoy_on_request(handle)
  -- The transcoder would take the query for fields of the message: ?events.time=7 would add an event. Workers read it.
  local headers = handle:headers()
  local path = headers:get(":path")
  local query = path:find("?", 1, true)
  if query then
    headers:replace("x-sluice-query", path:sub(query))
    headers:replace(":path", path:sub(1, query - 1))
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get(":status") ~= "400" then return end
  local body = handle:body(true)
  local text = body:getBytes(0, body:length())
  local said = text:match('^{"message":"malformed HTTP request: grpc_json_transcode_failure{[%w_]*}: (.*)","status":400}%s*$')
  if said then
    local mended = error_body(said)
    body:setBytes(mended)
    handle:headers():replace("content-length", tostring(#mended))  -- what body() has waited for has outdated `headers`
  end
end
