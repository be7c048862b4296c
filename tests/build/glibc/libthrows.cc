// An exception that is caught where it was thrown.
extern "C" int throws()
{
	try {
		throw 3;
	} catch (int n) {
		return n;
	}
}
