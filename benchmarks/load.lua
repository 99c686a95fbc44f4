-- Requests for wrk: `done` says what came of them, as a line of JSON.
--
-- From the environment: REQUESTS, a file with a path or, where METHOD is POST, a body on each line, of
-- which each request takes one at random; API_KEY; and PAUSE_MS, the mean of the pauses that each
-- connection makes before a request, for a load below what a server can do.

local requests = {}

function init()
  math.randomseed(os.time())
  local method, key = os.getenv("METHOD"), os.getenv("API_KEY")
  if key then wrk.headers["Authorization"] = "Bearer " .. key end
  if method == "POST" then wrk.headers["Content-Type"] = "application/json" end
  for line in io.lines(os.getenv("REQUESTS")) do
    local is_path = method == "GET"
    table.insert(requests, wrk.format(method, is_path and line or nil, nil, not is_path and line or nil))
  end
end

function request()
  return requests[math.random(#requests)]
end

local pause = tonumber(os.getenv("PAUSE_MS"))
if pause then
  -- Exponential, so that requests come as those of people who do not know of each other. wrk counts
  -- whole milliseconds: which of the two next to it is drawn too, so that the mean stays.
  function delay()
    return math.floor(-pause * math.log(1 - math.random()) + math.random())
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format(
    '{"requests": %d, "seconds": %.6f, "failed": %d, "p50_ms": %.3f, "p99_ms": %.3f}',
    summary.requests, summary.duration / 1e6, failed,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
