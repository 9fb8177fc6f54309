-- The sliding window of one key, shared by every instance: at most one GET and one SET a call.
--
-- KEYS[1]  the key's log, one string: the newest second seen (epoch, a big-endian u32), then for each second that
--          counts any permits, oldest first, the second (u32) and how many (u32)
-- ARGV[1]  limit: requests in any trailing 60 s
-- ARGV[2]  ahead: permits to take beyond the one for now; fewer are given where fewer are left
-- ARGV[3]  ahead_s: the seconds within which those are used
-- ARGV[4]  returned: permits taken ahead earlier and not used
-- ARGV[5]  the second that those were counted in
-- ARGV[6]  now in epoch milliseconds; empty for this server's own clock, which all instances share
--
-- Returns { admitted (0 or 1), ahead given, the second those are counted in, remaining, reset }: reset is the
-- milliseconds until the oldest counted permit leaves the window or, where none was given, until the next can be had.
local WINDOW_S = 60

local limit, ahead, ahead_s = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local returned, returned_stamp_s = tonumber(ARGV[4]), tonumber(ARGV[5])
local now_ms = tonumber(ARGV[6])
if not now_ms then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end
local now_s = math.floor(now_ms / 1000)

-- The pairs of the log as two lists, without those that have left the window.
local seconds, counts, total = {}, {}, 0
local log = redis.call('GET', KEYS[1])
if log then
  -- Time never goes back: an earlier clock counts as the newest second seen.
  now_s = math.max(now_s, (struct.unpack('>I4', log)))
  for at = 5, #log, 8 do
    local second, count = struct.unpack('>I4I4', log, at)
    if now_s - second <= WINDOW_S then
      if second == returned_stamp_s then
        count = math.max(0, count - returned)
      end
      seconds[#seconds + 1], counts[#counts + 1] = second, count
      total = total + count
    end
  end
end

local function count(second, permits)
  if permits == 0 then return end
  total = total + permits
  local at = #seconds
  while at > 0 and seconds[at] > second do at = at - 1 end
  if at > 0 and seconds[at] == second then
    counts[at] = counts[at] + permits
  else
    table.insert(seconds, at + 1, second)
    table.insert(counts, at + 1, permits)
  end
end

-- Milliseconds until fewer than `permits` are left.
local function falls_below(permits)
  local left, second = total, now_s
  for at = 1, #seconds do
    left, second = left - counts[at], seconds[at]
    if left < permits then break end
  end
  return math.max(0, (second + WINDOW_S + 1) * 1000 - now_ms)
end

local free, stamp_s = math.max(0, limit - total), now_s + ahead_s
if free == 0 and returned == 0 then
  -- Nothing changes, nothing is written.
  return { 0, 0, stamp_s, 0, falls_below(limit) }
end
local admitted = math.min(1, free)
ahead = math.min(ahead, free - admitted)
count(now_s, admitted)
count(stamp_s, ahead)

local parts = { struct.pack('>I4', now_s) }
for at = 1, #seconds do
  parts[at + 1] = struct.pack('>I4I4', seconds[at], counts[at])
end
-- Without a time to live: a Redis that is full evicts keys that have one (volatile-lru), and a window that is evicted
-- starts anew. There is one short string for each API key that was ever used.
redis.call('SET', KEYS[1], table.concat(parts))
return { admitted, ahead, stamp_s, free - admitted - ahead, falls_below(admitted == 1 and total or limit) }
