// See sequence_table.h.
#include "runtime/decoder/sequence_table.h"

namespace retort::runtime {

SequenceTable::SequenceTable(std::int64_t count, std::int64_t context, BlockPool& pool)
    : context_(context), pool_(pool), tables_(static_cast<std::size_t>(count)) {
  for (Table& table : tables_)
    table.blocks.reserve(static_cast<std::size_t>((context + kBlockTokens - 1) / kBlockTokens));
}

void SequenceTable::clear(std::int64_t sequence) {
  Table& table = tables_.at(static_cast<std::size_t>(sequence));
  // Last first: the next sequence then takes them in the order of their addresses again.
  while (!table.blocks.empty()) {
    pool_.release(table.blocks.back());
    table.blocks.pop_back();
  }
  table.position = 0;
}

RowPlace SequenceTable::append(std::int64_t sequence) {
  Table& table = tables_.at(static_cast<std::size_t>(sequence));
  if (table.position % kBlockTokens == 0) table.blocks.push_back(pool_.take());
  ++table.position;
  return {table.blocks.data(), table.position - 1, table.position};
}

void SequenceTable::begin(std::int64_t sequence, const std::vector<BlockId>& blocks) {
  Table& table = tables_.at(static_cast<std::size_t>(sequence));
  table.blocks.assign(blocks.begin(), blocks.end());
  table.position = static_cast<std::int64_t>(blocks.size()) * kBlockTokens;
}

SequenceTable::BlockCopy SequenceTable::fork(std::int64_t from, std::int64_t to, std::int64_t tokens) {
  const Table& source = tables_.at(static_cast<std::size_t>(from));
  Table& target = tables_.at(static_cast<std::size_t>(to));
  const auto whole = static_cast<std::size_t>(tokens / kBlockTokens);
  const bool part = tokens % kBlockTokens != 0;
  if (from == to) {
    const std::size_t kept = whole + (part ? 1 : 0);
    while (target.blocks.size() > kept) {
      pool_.release(target.blocks.back());
      target.blocks.pop_back();
    }
  } else {
    clear(to);
    for (std::size_t i = 0; i < whole; ++i) {
      pool_.share(source.blocks[i]);
      target.blocks.push_back(source.blocks[i]);
    }
  }
  target.position = tokens;
  if (!part) return {};
  if (from != to) {
    target.blocks.push_back(pool_.take());
    return {source.blocks[whole], target.blocks.back()};
  }
  const BlockId last = target.blocks.back();
  if (pool_.references(last) == 1) return {};
  // Others read it to its end: what is written behind `tokens` goes elsewhere.
  pool_.release(last);
  target.blocks.back() = pool_.take();
  return {last, target.blocks.back()};
}

}  // namespace retort::runtime
