from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorMulticast,
    IReactorPluggableNameResolver,
    IReactorProcess,
    IReactorSocket,
    IReactorSSL,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUDP,
    IReactorUNIX,
    IReactorUNIXDatagram,
)

# The installed reactor: which interfaces it has depends on the platform, so it gets all of them.
class _Reactor(
    IReactorCore,
    IReactorTime,
    IReactorThreads,
    IReactorTCP,
    IReactorSSL,
    IReactorUNIX,
    IReactorUNIXDatagram,
    IReactorUDP,
    IReactorMulticast,
    IReactorProcess,
    IReactorSocket,
    IReactorFDSet,
    IReactorPluggableNameResolver,
): ...

reactor: _Reactor
