-- A sliding window that all instances share. One call takes permits, with one MGET and at most one
-- SET. `sliding_window.rs` is the same window in process.
--
-- The length of a window is an argument, because operators change it. The string therefore
-- remembers permits for as long as the longest window lasts. It keeps one time for the permits of a
-- *cell*, a sixtieth of the window: that of the last. Permits that have left the window, but would
-- count in a longer one, are in cells of a minute.
--
-- A window is *complete* if it counts every request of its length. One that was lost, or that is on
-- a Redis that lost its data, is complete again when its length and INCOMPLETE_MS have passed.
-- Until then, each instance takes no more than its share.
--
-- KEYS[1]   the window, one string of big-endian numbers: the newest time seen (6 bytes), the time
--           since which it counts every request, or 0 (6), and the time of its creation in
--           microseconds (8); then for each cell with permits, oldest first, the time of the last
--           (6) and their number (4). Times are in epoch milliseconds
-- KEYS[2]   the generation: when this Redis was first seen without data, in epoch microseconds;
--           with `!` before it if an instance knew an earlier one, so that data were lost
-- ARGV[1]   limit: permits in any trailing window
-- ARGV[2]   window_s: the length of the window in seconds
-- ARGV[3]   cost: permits for the present request, at most the limit; it gets all of them or none
-- ARGV[4]   prefetch: permits to prefetch; fewer are granted if fewer are left
-- ARGV[5]   bucket_ms: the time that counts the permits which an earlier call prefetched
-- ARGV[6]   unused: how many of those were not used and are counted no longer
-- ARGV[7]   known: when the window that this instance knows was created; 0 if it knows none
-- ARGV[8]   incomplete_max: permits that the call may take while the window is incomplete
-- ARGV[9]   known_generation: the generation that this instance knows; 0 if it knows none
-- ARGV[10]  evicts: 1 if this Redis may evict windows, so that a missing one may have been lost
-- ARGV[11]  report: what the instance admitted, as age:permits, with the age in milliseconds; `-`
--           if the instance reports only if the window that it knows was lost
-- ARGV[12]  ttl_s: the string expires after this many seconds; 0 for no expiry
-- ARGV[13]  the present in epoch milliseconds; empty for the clock of this Redis
--
-- Returns { state, prefetched permits, the time that counts them, remaining, reset, created,
-- incomplete, generation }. The state is 0 for a rejection, 1 for a grant, and 2 if the known
-- window was lost: then nothing is taken, and the instance calls again with its report. The reset
-- and `incomplete` are in milliseconds: the time until the oldest permit leaves the window or, if
-- the request is not admitted, until its cost is available; and until the window is complete.
local CELLS, OLD_CELL_MS = 60, 60000
-- The longest window.
local KEPT_MS = 3600000
-- Prefetched permits are used within this time, so they are counted this much later.
local USED_WITHIN_MS = 1000
-- A lease that began before the loss, and a margin.
local INCOMPLETE_MS = USED_WITHIN_MS + 2000
-- A window or a generation further ahead is damaged, or the clock stepped back by more than this.
local AHEAD_MAX_MS = 300000
local HEAD_BYTES, CELL_BYTES = 20, 10

local limit, window_ms, cost = tonumber(ARGV[1]), ARGV[2] * 1000, tonumber(ARGV[3])
local prefetch, returned_bucket_ms, unused = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local known, incomplete_max = tonumber(ARGV[7]), tonumber(ARGV[8])
local known_generation, evicts, report = tonumber(ARGV[9]), ARGV[10] == '1', ARGV[11]
local ttl_s, now_ms = tonumber(ARGV[12]), tonumber(ARGV[13])
local now_us
if now_ms then
  now_us = now_ms * 1000
else
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
  now_ms = math.floor(now_us / 1000)
end
-- The clock, which may have stepped back.
local clock_ms = now_ms

local stored = redis.call('MGET', KEYS[1], KEYS[2])
local lost_mark, digits = string.match(stored[2] or '', '^(!?)(%d+)$')
local generation, has_lost_data = tonumber(digits), lost_mark == '!'
local is_new = not generation or generation > now_us + AHEAD_MAX_MS * 1000
if is_new then generation = now_us end
if known_generation ~= 0 and known_generation ~= generation and not has_lost_data or is_new then
  has_lost_data = known_generation ~= 0
  redis.call('SET', KEYS[2], (has_lost_data and '!' or '') .. string.format('%.0f', generation))
end

-- Reads the head. A damaged window counts as lost.
local window, created, complete_since_ms = stored[1], nil, nil
local is_damaged = window and (#window < HEAD_BYTES or (#window - HEAD_BYTES) % CELL_BYTES ~= 0)
if window and not is_damaged then
  local newest_ms, since_ms, created_us = struct.unpack('>I6I6I8', window)
  is_damaged = newest_ms > now_ms + AHEAD_MAX_MS or since_ms > newest_ms + AHEAD_MAX_MS
    or created_us > newest_ms * 1000 + AHEAD_MAX_MS * 1000
  if not is_damaged then
    -- If the clock stepped back, the newest time seen counts as the present.
    now_ms, complete_since_ms, created = math.max(now_ms, newest_ms), since_ms, created_us
  end
end

-- The first time that counts. The clock counts whole milliseconds, so a request at time t counts
-- until the end of millisecond t + window.
local start_ms = now_ms - window_ms
local cell_ms = math.ceil(window_ms / CELLS)
-- The number of the cell of a time. Cells before the window have negative numbers.
local function cell_of(at_ms)
  if at_ms < start_ms then return -1 - math.floor(at_ms / OLD_CELL_MS) end
  return math.floor(at_ms / cell_ms)
end

-- Reads the cells into two lists, without those that no window counts. Joins those of one cell.
local times, counts = {}, {}
if created then
  local last_cell
  for at = HEAD_BYTES + 1, #window, CELL_BYTES do
    local last_ms, count = struct.unpack('>I6I4', window, at)
    is_damaged = is_damaged or last_ms > now_ms + USED_WITHIN_MS
    if last_ms >= now_ms - KEPT_MS then
      local cell = cell_of(last_ms)
      if cell == last_cell then
        times[#times], counts[#times] = last_ms, counts[#times] + count
      else
        times[#times + 1], counts[#times + 1] = last_ms, count
      end
      last_cell = cell
    end
  end
end
if is_damaged or not created then
  times, counts, created, now_ms, start_ms = {}, {}, now_us, clock_ms, clock_ms - window_ms
  local may_be_lost = is_damaged or evicts or (known ~= 0 and known >= generation)
  complete_since_ms = may_be_lost and now_ms or 0
end
-- Since they were taken, the cell of unused permits may have become part of a later one. Then they
-- are not found, and count until they expire.
if unused > 0 then
  local cell = cell_of(returned_bucket_ms)
  for at = 1, #times do
    if cell_of(times[at]) == cell then
      counts[at] = counts[at] - unused
      if counts[at] <= 0 then
        table.remove(times, at)
        table.remove(counts, at)
      end
      break
    end
  end
end
if has_lost_data then
  complete_since_ms = math.max(complete_since_ms, math.floor(generation / 1000))
end
local is_lost = known ~= 0 and known ~= created
if is_lost then
  if report == '-' then return { 2, 0, 0, 0, 0, 0, 0, generation } end
  -- Whoever created this window did not know that there had been another one.
  complete_since_ms = math.max(complete_since_ms, math.floor(created / 1000))
end

local function add(at_ms, permits)
  if permits == 0 then return end
  local at, cell = #times, cell_of(at_ms)
  while at > 0 and times[at] > at_ms do at = at - 1 end
  if at < #times and cell_of(times[at + 1]) == cell then
    counts[at + 1] = counts[at + 1] + permits
  elseif at > 0 and cell_of(times[at]) == cell then
    times[at], counts[at] = at_ms, counts[at] + permits
  else
    table.insert(times, at + 1, at_ms)
    table.insert(counts, at + 1, permits)
  end
end

for age_ms, permits in string.gmatch(report, '(%d+):(%d+)') do
  if tonumber(age_ms) <= KEPT_MS then add(now_ms - tonumber(age_ms), tonumber(permits)) end
end

local function total_in_window()
  local total = 0
  for at = #times, 1, -1 do
    if times[at] < start_ms then break end
    total = total + counts[at]
  end
  return total
end
local total = total_in_window()

-- Milliseconds until the window holds fewer than `permits` permits.
local function ms_until_below(permits)
  if total < permits then return 0 end
  local left, last_ms = total, now_ms
  for at = 1, #times do
    if times[at] >= start_ms then
      left, last_ms = left - counts[at], times[at]
      if left < permits then break end
    end
  end
  return math.max(0, last_ms + window_ms + 1 - clock_ms)
end

local free, bucket_ms = math.max(0, limit - total), now_ms + USED_WITHIN_MS
local incomplete_ms = 0
if complete_since_ms > 0 then
  incomplete_ms = math.max(0, complete_since_ms + window_ms + INCOMPLETE_MS - clock_ms)
  if incomplete_ms > 0 then free = math.min(free, incomplete_max) end
end
local admitted = free >= cost
if (not admitted or cost == 0) and unused == 0 and not is_lost then
  -- Nothing changed, so nothing is written.
  local reset_in_ms = ms_until_below(limit - cost + 1)
  local state = admitted and 1 or 0
  return { state, 0, bucket_ms, free, reset_in_ms, created, incomplete_ms, generation }
end
local prefetched = 0
if admitted then
  free = free - cost
  prefetched = math.min(prefetch, free)
  free = free - prefetched
  add(now_ms, cost)
  add(bucket_ms, prefetched)
  total = total + cost + prefetched
end

local parts = { struct.pack('>I6I6I8', now_ms, complete_since_ms, created) }
for at = 1, #times do
  parts[at + 1] = struct.pack('>I6I4', times[at], counts[at])
end
if ttl_s > 0 then
  redis.call('SET', KEYS[1], table.concat(parts), 'EX', ttl_s)
else
  -- A full Redis evicts strings with an expiry (volatile-lru). An evicted window would start anew.
  redis.call('SET', KEYS[1], table.concat(parts))
end
local reset_in_ms = ms_until_below(admitted and total or limit - cost + 1)
local state = admitted and 1 or 0
return { state, prefetched, bucket_ms, free, reset_in_ms, created, incomplete_ms, generation }
