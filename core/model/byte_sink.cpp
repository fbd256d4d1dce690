#include "model/byte_sink.h"

#include <stdexcept>
#include <string>

#include "host/base/files.h"

namespace retort::model {

void ByteSink::append(const void* data, std::size_t bytes) {
  if (bytes > missing_)
    throw std::invalid_argument("expected at most " + std::to_string(missing_) + " more bytes of this tensor, found " +
                                std::to_string(bytes));
  host::write_all(descriptor_, data, bytes);
  missing_ -= bytes;
}

}  // namespace retort::model
