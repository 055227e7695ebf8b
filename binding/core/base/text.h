#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace rocksdb_backup {

// What comes before `end`; the text goes on after it.
inline std::string_view TakeUntil(char end, std::string_view* text) {
  const std::string_view taken = text->substr(0, text->find(end));
  text->remove_prefix(std::min(text->size(), taken.size() + 1));
  return taken;
}

// Of text that is decimal digits and nothing else, and that fits.
template <class Number>
bool ToNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && text.front() != '-';
}

}  // namespace rocksdb_backup
