import type { Dispatcher, Pool } from 'undici';

type ConnectOptions = Omit<Dispatcher.ConnectOptions, 'origin'>;
type Callback = (error: Error | null, data: Dispatcher.ConnectData) => void;

/**
 * Makes what asks a proxy for tunnels. A proxy that cuts the connection then is an error that undici takes for one of a connection in
 * use, which is no failure of a request: it would connect again at once, ten thousand times a second. Wrapped it is told.
 */
export function tunnelsOf(Connections: typeof Pool): (proxy: URL, options: object) => Dispatcher {
  class Tunnels extends Connections {
    override connect(options: ConnectOptions): Promise<Dispatcher.ConnectData>;
    override connect(options: ConnectOptions, callback: Callback): void;
    override connect(options: ConnectOptions, callback?: Callback): Promise<Dispatcher.ConnectData> | void {
      if (callback !== undefined) return super.connect(options, callback);
      return super.connect(options).catch((cause: unknown) => {
        throw new Error(cause instanceof Error ? cause.message : 'the proxy gave no tunnel', { cause });
      });
    }
  }
  return (proxy, options) => new Tunnels(proxy, options);
}
