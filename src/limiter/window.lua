-- The sliding window of one key, shared by every instance: at most one GET and one SET a call.
--
-- KEYS[1]  the key's log, one string: the total as a big-endian u32, then for each second that admitted anything,
--          oldest first, the second (epoch, u32) and how many (u32)
-- ARGV[1]  limit: requests in any trailing 60 s
-- ARGV[2]  wanted: permits to take; fewer are granted when fewer are left
-- ARGV[3]  now in epoch milliseconds; empty for this server's own clock, which all instances share
--
-- Returns { granted, remaining, reset }: reset is the milliseconds until the oldest counted request leaves the window
-- or, where nothing was granted, until the next permit can be had.
local WINDOW_S = 60

local limit, wanted = tonumber(ARGV[1]), tonumber(ARGV[2])
local now_ms = tonumber(ARGV[3])
if not now_ms then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end
local now_s = math.floor(now_ms / 1000)

local function until_free(second)
  return math.max(0, (second + WINDOW_S + 1) * 1000 - now_ms)
end

local log = redis.call('GET', KEYS[1])
local total, from = 0, 5
if log then
  total = struct.unpack('>I4', log)
  -- A clock behind the newest entry counts as that entry's second: time never goes back.
  if #log > 4 then
    now_s = math.max(now_s, (struct.unpack('>I4', log, #log - 7)))
  end
  while from < #log do
    local second, count = struct.unpack('>I4I4', log, from)
    if now_s - second <= WINDOW_S then break end
    total, from = total - count, from + 8
  end
else
  log = ''
end

local free = math.max(0, limit - total)
local granted = math.min(wanted, free)

if granted == 0 then
  -- Nothing changes, nothing is written. Find the second in which fewer than the limit are left.
  local left, frees = total, now_s
  while left >= limit do
    local second, count = struct.unpack('>I4I4', log, from)
    left, from, frees = left - count, from + 8, second
  end
  return { 0, free, until_free(frees) }
end

local oldest, last_count = now_s, granted
local kept = string.sub(log, from)
if #kept > 0 then
  oldest = struct.unpack('>I4', kept)
  local second, count = struct.unpack('>I4I4', kept, #kept - 7)
  if second == now_s then
    last_count = count + granted
    kept = string.sub(kept, 1, #kept - 8)
  end
end
total = total + granted
log = struct.pack('>I4', total) .. kept .. struct.pack('>I4I4', now_s, last_count)
redis.call('SET', KEYS[1], log, 'EX', WINDOW_S + 2)
return { granted, free - granted, until_free(oldest) }
