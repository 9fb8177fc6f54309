-- A sliding window that all instances share. One call takes permits, with one MGET and at most one
-- SET. `sliding_window.rs` is the same window in process.
--
-- A window is *complete* if it counts every request of the last minute. One that was lost, or that
-- is on a Redis that lost its data, is complete again INCOMPLETE_S later. Until then, each instance
-- takes no more than its share.
--
-- KEYS[1]   the window, one string of big-endian u32: the newest second seen (epoch), the second
--           from which it is complete, the second and the microsecond of its creation; then for
--           each second with permits, oldest first, the second and the number of permits
-- KEYS[2]   the generation: when this Redis was first seen without data, in epoch microseconds; with
--           `!` before it if an instance knew an earlier generation, so that data were lost
-- ARGV[1]   limit: permits in any trailing 60 s
-- ARGV[2]   cost: permits for the present request, at most the limit; it gets all of them or none
-- ARGV[3]   prefetch: permits to prefetch; fewer are granted if fewer are left
-- ARGV[4]   bucket_s: the second that counts the permits which an earlier call prefetched
-- ARGV[5]   unused: how many of those were not used and are counted no longer
-- ARGV[6]   known: when the window that this instance knows was created; 0 if it knows none
-- ARGV[7]   incomplete_max: permits that the call may take while the window is incomplete
-- ARGV[8]   known_generation: the generation that this instance knows; 0 if it knows none
-- ARGV[9]   evicts: 1 if this Redis may evict windows, so that a missing one may have been lost
-- ARGV[10]  report: what the instance admitted in the last minute, as age:permits, with the age in
--           seconds; `-` if the instance reports only if the window that it knows was lost
-- ARGV[11]  time_scale: the clock of the window runs slower by this factor. With 60, each second in
--           this script lasts a minute, and the window is an hour
-- ARGV[12]  ttl_s: the string expires after this many real seconds; 0 for no expiry
-- ARGV[13]  the present in epoch milliseconds; empty for the clock of this Redis
--
-- Returns { state, prefetched permits, the second that counts them, remaining, reset, created,
-- incomplete, generation }. The state is 0 for a rejection, 1 for a grant, and 2 if the known window was lost:
-- then nothing is taken, and the instance calls again with its report. The reset and `incomplete`
-- are in milliseconds of the window's clock: the time until the oldest permit leaves the window or,
-- if the request is not admitted, until its cost is available; and until the window is complete.
local WINDOW_S = 60
-- Prefetched permits are used within this time, so they are counted this much later.
local LEASE_S = 1
-- The window, a lease that began before the loss, and two fractions of seconds.
local INCOMPLETE_S = WINDOW_S + LEASE_S + 2
-- A window or a generation further ahead is damaged, or the clock stepped back by more than this.
local AHEAD_MAX_S = 300

local limit, cost, prefetch = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local returned_bucket_s, unused = tonumber(ARGV[4]), tonumber(ARGV[5])
local known, incomplete_max = tonumber(ARGV[6]), tonumber(ARGV[7])
local known_generation, evicts, report = tonumber(ARGV[8]), ARGV[9] == '1', ARGV[10]
local time_scale, ttl_s, now_ms = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local now_us
if now_ms then
  now_us = now_ms * 1000
else
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
  now_ms = math.floor(now_us / 1000)
end
now_ms = math.floor(now_ms / time_scale)
local now_s = math.floor(now_ms / 1000)

local function to_window_s(us)
  return math.floor(us / 1000000 / time_scale)
end

local stored = redis.call('MGET', KEYS[1], KEYS[2])
local lost_mark, digits = string.match(stored[2] or '', '^(!?)(%d+)$')
local generation, has_lost_data = tonumber(digits), lost_mark == '!'
local is_new = not generation or generation > now_us + AHEAD_MAX_S * 1000000
if is_new then generation = now_us end
if known_generation ~= 0 and known_generation ~= generation and not has_lost_data or is_new then
  has_lost_data = known_generation ~= 0
  redis.call('SET', KEYS[2], (has_lost_data and '!' or '') .. string.format('%.0f', generation))
end

-- Reads the window into two lists, without the seconds that have left it and the permits that were
-- not used. A damaged window counts as lost.
local seconds, counts, total, window = {}, {}, 0, stored[1]
local created, complete_from_s
local is_damaged = window and (#window < 16 or #window % 8 ~= 0)
if window and not is_damaged then
  local newest_s, complete_s, created_s, created_us = struct.unpack('>I4I4I4I4', window)
  is_damaged = newest_s > now_s + AHEAD_MAX_S
    or complete_s > newest_s + AHEAD_MAX_S + INCOMPLETE_S
  for at = 17, #window, 8 do
    local second, count = struct.unpack('>I4I4', window, at)
    is_damaged = is_damaged or second > newest_s + LEASE_S
    -- If the clock stepped back, the newest second seen counts as the present.
    if math.max(now_s, newest_s) - second <= WINDOW_S then
      if second == returned_bucket_s then
        count = math.max(0, count - unused)
      end
      seconds[#seconds + 1], counts[#counts + 1] = second, count
      total = total + count
    end
  end
  if not is_damaged then
    now_s = math.max(now_s, newest_s)
    created, complete_from_s = created_s * 1000000 + created_us, complete_s
  end
end
if not created then
  seconds, counts, total, created = {}, {}, 0, now_us
  local may_be_lost = is_damaged or evicts or (known ~= 0 and known >= generation)
  complete_from_s = may_be_lost and now_s + INCOMPLETE_S or 0
end
if has_lost_data then
  complete_from_s = math.max(complete_from_s, to_window_s(generation) + INCOMPLETE_S)
end
local is_lost = known ~= 0 and known ~= created
if is_lost then
  if report == '-' then return { 2, 0, 0, 0, 0, 0, 0, generation } end
  -- Whoever created this window did not know that there had been another one.
  complete_from_s = math.max(complete_from_s, to_window_s(created) + INCOMPLETE_S)
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

for age_s, permits in string.gmatch(report, '(%d+):(%d+)') do
  if tonumber(age_s) <= WINDOW_S then add(now_s - tonumber(age_s), tonumber(permits)) end
end

-- Milliseconds until the window holds fewer than `permits` permits.
local function ms_until_below(permits)
  if total < permits then return 0 end
  local left, second = total, now_s
  for at = 1, #seconds do
    left, second = left - counts[at], seconds[at]
    if left < permits then break end
  end
  return math.max(0, (second + WINDOW_S + 1) * 1000 - now_ms)
end

local free, bucket_s = math.max(0, limit - total), now_s + LEASE_S
local incomplete_ms = 0
if now_s < complete_from_s then
  free = math.min(free, incomplete_max)
  incomplete_ms = math.max(0, complete_from_s * 1000 - now_ms)
end
local admitted = free >= cost
if (not admitted or cost == 0) and unused == 0 and not is_lost then
  -- Nothing changed, so nothing is written.
  local reset_in_ms = ms_until_below(limit - cost + 1)
  local state = admitted and 1 or 0
  return { state, 0, bucket_s, free, reset_in_ms, created, incomplete_ms, generation }
end
local prefetched = 0
if admitted then
  free = free - cost
  prefetched = math.min(prefetch, free)
  free = free - prefetched
  add(now_s, cost)
  add(bucket_s, prefetched)
end

local created_s = math.floor(created / 1000000)
local parts = {
  struct.pack('>I4I4I4I4', now_s, complete_from_s, created_s, created - created_s * 1000000)
}
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
local state = admitted and 1 or 0
return { state, prefetched, bucket_s, free, reset_in_ms, created, incomplete_ms, generation }
