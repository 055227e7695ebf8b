#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace rocksdb_backup {

inline constexpr size_t kFixedHexDigits = 16;

// Sixteen digits: the order of such texts is the order of their numbers.
inline std::string FixedHex(uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(kFixedHexDigits, '0');
  for (size_t i = kFixedHexDigits; i-- > 0; number >>= 4) {
    text[i] = kDigits[number & 15];
  }
  return text;
}

inline bool ParseFixedHex(std::string_view text, uint64_t* number) {
  const char* const end = text.data() + text.size();
  return text.size() == kFixedHexDigits && std::from_chars(text.data(), end, *number, 16).ptr == end;
}

}  // namespace rocksdb_backup
