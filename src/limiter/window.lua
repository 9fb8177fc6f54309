-- A sliding window that all instances share. One call takes permits, with at most one GET and one
-- SET. `sliding_window.rs` is the same window in process.
--
-- KEYS[1]   the window, one string: the newest second seen (epoch, a big-endian u32), then for each
--           second with permits, oldest first, the second (u32) and the number of permits (u32)
-- ARGV[1]   limit: permits in any trailing 60 s
-- ARGV[2]   cost: permits for the present request, at most the limit; it gets all of them or none
-- ARGV[3]   prefetch: permits to prefetch; fewer are granted if fewer are left
-- ARGV[4]   bucket_s: the second that counts the permits which an earlier call prefetched
-- ARGV[5]   unused: how many of those were not used and are counted no longer
-- ARGV[6]   time_scale: the clock of the window runs slower by this factor. With 60, each second in
--           this script lasts a minute, and the window is an hour
-- ARGV[7]   ttl_s: the string expires after this many real seconds; 0 for no expiry
-- ARGV[8]   the present in epoch milliseconds; empty for the clock of this Redis
--
-- Returns { admitted (0 or 1), prefetched permits, the second that counts them, remaining, reset }.
-- The reset is in milliseconds of the window's clock: the time until the oldest permit leaves the
-- window or, if the request is not admitted, until its cost is available.
local WINDOW_S = 60
-- Prefetched permits are used within this time, so they are counted this much later.
local LEASE_S = 1

local limit, cost, prefetch = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local returned_bucket_s, unused = tonumber(ARGV[4]), tonumber(ARGV[5])
local time_scale, ttl_s, now_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
if not now_ms then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end
now_ms = math.floor(now_ms / time_scale)
local now_s = math.floor(now_ms / 1000)

-- Reads the window into two lists, without the seconds that have left it and the permits that were
-- not used.
local seconds, counts, total = {}, {}, 0
local window = redis.call('GET', KEYS[1])
if window then
  -- If the clock stepped back, the newest second seen counts as the present.
  now_s = math.max(now_s, (struct.unpack('>I4', window)))
  for at = 5, #window, 8 do
    local second, count = struct.unpack('>I4I4', window, at)
    if now_s - second <= WINDOW_S then
      if second == returned_bucket_s then
        count = math.max(0, count - unused)
      end
      seconds[#seconds + 1], counts[#counts + 1] = second, count
      total = total + count
    end
  end
end

local function add(second, permits)
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

-- Milliseconds until the window holds fewer than `permits` permits.
local function ms_until_below(permits)
  local left, second = total, now_s
  for at = 1, #seconds do
    left, second = left - counts[at], seconds[at]
    if left < permits then break end
  end
  return math.max(0, (second + WINDOW_S + 1) * 1000 - now_ms)
end

local free, bucket_s = math.max(0, limit - total), now_s + LEASE_S
local admitted = free >= cost
if not admitted and unused == 0 then
  -- Nothing changed, so nothing is written.
  return { 0, 0, bucket_s, free, ms_until_below(limit - cost + 1) }
end
local prefetched = 0
if admitted then
  free = free - cost
  prefetched = math.min(prefetch, free)
  free = free - prefetched
  add(now_s, cost)
  add(bucket_s, prefetched)
end

local parts = { struct.pack('>I4', now_s) }
for at = 1, #seconds do
  parts[at + 1] = struct.pack('>I4I4', seconds[at], counts[at])
end
if ttl_s > 0 then
  redis.call('SET', KEYS[1], table.concat(parts), 'EX', ttl_s)
else
  -- A full Redis evicts strings with an expiry (volatile-lru). An evicted window would start anew.
  redis.call('SET', KEYS[1], table.concat(parts))
end
local reset_in_ms = ms_until_below(admitted and total or limit - cost + 1)
return { admitted and 1 or 0, prefetched, bucket_s, free, reset_in_ms }
