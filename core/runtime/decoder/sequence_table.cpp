// See sequences.h.
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
  return {table.blocks.data(), table.position++};
}

void SequenceTable::begin(std::int64_t sequence, const std::vector<BlockId>& blocks) {
  Table& table = tables_.at(static_cast<std::size_t>(sequence));
  table.blocks.assign(blocks.begin(), blocks.end());
  table.position = static_cast<std::int64_t>(blocks.size()) * kBlockTokens;
}

}  // namespace retort::runtime
