#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <numeric>
#include <stdexcept>

static long total(const std::vector<long> &values)
{
	if (values.empty()) throw std::invalid_argument("no values");
	return std::accumulate(values.begin(), values.end(), 0L);
}

PYBIND11_MODULE(pybind_demo, module)
{
	module.def("total", &total);
}
