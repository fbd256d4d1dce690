// One HTML page of rows for people: conversations, calls, reasons of rejection, with filters. It loads nothing.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/data_rows.h"

namespace retort::data {

/// A page of at most so many rows. Rejected rows come first of all, for they are why one looks; of the others every
/// n-th is shown, so that the page holds rows of the whole file.
class DataPage {
 public:
  DataPage(std::string title, std::size_t most_rows) : title_(std::move(title)), most_rows_(most_rows) {}
  void take(const DataRow& row);
  std::string render() const;

 private:
  /// What the filters ask for.
  struct Facts {
    std::string split;
    std::set<std::string> tools;
    std::string kind;
    std::string reason;  ///< why it was rejected, without places and numbers
  };
  static Facts facts_of(const DataRow& row);
  static std::string html_of(const DataRow& row, const Facts& facts);
  void thin_out();

  std::string title_;
  std::size_t most_rows_;
  std::vector<std::string> rejected_, kept_;  ///< as HTML
  std::int64_t stride_ = 1, rows_ = 0, all_rejected_ = 0;
  std::map<std::string, std::int64_t> splits_, tools_, kinds_, reasons_;  ///< of all rows
};

}  // namespace retort::data
