/**
 * Functions that other people's SQL may call. Must stay true: what is listed reads its arguments and nothing else (the time
 * aside), and changes nothing. What SQLite gains in a later version is refused until it is listed here.
 */
const names = `
  abs acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power
  radians round sign sin sinh sqrt tan tanh trunc random
  char coalesce concat concat_ws format glob hex if ifnull iif instr length like likelihood likely lower ltrim nullif
  octet_length printf quote replace rtrim substr substring trim typeof unhex unicode unlikely upper zeroblob
  date datetime julianday strftime time timediff unixepoch current_date current_time current_timestamp
  avg count group_concat max median min percentile percentile_cont percentile_disc string_agg sum total
  cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
  -> ->> json json_array json_array_length json_error_position json_extract json_group_array json_group_object json_insert
  json_object json_patch json_pretty json_quote json_remove json_replace json_set json_type json_valid
  sqlite_version`;

export const safeFunctions: ReadonlySet<string> = new Set(names.split(/\s+/).filter((name) => name !== ''));
