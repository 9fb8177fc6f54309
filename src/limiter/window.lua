-- The sliding window of one key, shared by every instance: at most one GET and one SET a call.
--
-- KEYS[1]  the key's log, one string: the newest second seen (epoch, a big-endian u32), then for each second that
--          counts any permits, oldest first, the second (u32) and how many (u32)
-- ARGV[1]  limit: requests in any trailing 60 s
-- ARGV[2]  weight: permits for the request that is here now, at most the limit; it gets all of them or none
-- ARGV[3]  ahead: permits to take beyond those; fewer are given where fewer are left
-- ARGV[4]  ahead_s: the seconds within which those are used
-- ARGV[5]  the second that permits taken ahead earlier were counted in
-- ARGV[6]  unused: how many of those are not counted any more
-- ARGV[7]  used: how many of the others are counted earlier,
-- ARGV[8]  used_s: in this second
-- ARGV[9]  slowness: how many times slower than time the window's clock goes. By one of 60 all that is called a second
--          here takes a minute, and the window is an hour
-- ARGV[10] ttl_s: for how many true seconds the log is kept from now on; 0 for as long as it is there
-- ARGV[11] now in epoch milliseconds; empty for this server's own clock, which all instances share
--
-- Returns { admitted (0 or 1), ahead given, the second those are counted in, remaining, reset }: reset is the
-- milliseconds until the oldest counted permit leaves the window or, where none was given, until as many as were asked
-- for can be had, by the window's clock.
local WINDOW_S = 60

local limit, weight, ahead, ahead_s = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local settled_s, unused, used, used_s = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local slowness, ttl_s, now_ms = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
if not now_ms then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end
now_ms = math.floor(now_ms / slowness)
local now_s = math.floor(now_ms / 1000)

-- The pairs of the log as two lists, without those that have left the window.
local seconds, counts, total, moved = {}, {}, 0, 0
local log = redis.call('GET', KEYS[1])
if log then
  -- Time never goes back: an earlier clock counts as the newest second seen.
  now_s = math.max(now_s, (struct.unpack('>I4', log)))
  for at = 5, #log, 8 do
    local second, count = struct.unpack('>I4I4', log, at)
    if now_s - second <= WINDOW_S then
      if second == settled_s then
        count = math.max(0, count - unused)
        moved = math.min(used, count)
        count = count - moved
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

if now_s - used_s <= WINDOW_S then
  count(used_s, moved)
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
local admitted = free >= weight
if not admitted and unused + moved == 0 then
  -- Nothing changes, nothing is written.
  return { 0, 0, stamp_s, free, falls_below(limit - weight + 1) }
end
if admitted then
  free = free - weight
  ahead = math.min(ahead, free)
  free = free - ahead
  count(now_s, weight)
  count(stamp_s, ahead)
else
  ahead = 0
end

local parts = { struct.pack('>I4', now_s) }
for at = 1, #seconds do
  parts[at + 1] = struct.pack('>I4I4', seconds[at], counts[at])
end
if ttl_s > 0 then
  redis.call('SET', KEYS[1], table.concat(parts), 'EX', ttl_s)
else
  -- A Redis that is full evicts keys that have a time to live (volatile-lru), and a window that is evicted starts anew.
  redis.call('SET', KEYS[1], table.concat(parts))
end
return { admitted and 1 or 0, ahead, stamp_s, free, falls_below(admitted and total or limit - weight + 1) }
